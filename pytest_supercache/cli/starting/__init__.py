"""`supercache new --app`: a conftest and a first scenario for an application that exists.

`start` has the project looked at in a process of its own, because its modules are imported.
`probe` runs there and asks `django_site` or `web_app` for a page and a change that belong together.
`writing` makes the files of what they found.
"""
