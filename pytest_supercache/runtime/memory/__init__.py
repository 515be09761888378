"""Finds the memory that actors share without declaring it, and makes steps of its accesses.

Code under test is rewritten for the length of a check: before every access to memory it calls a
hook (`rewriting`, `functions`). The hooks know what each access touches (`hooks`, `effects`). What
two actors touch, one of them writing, without a common lock, is shared from then on (`accesses`,
`sharing`), under a name that is the same in every schedule (`names`).
"""
