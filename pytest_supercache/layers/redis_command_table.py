"""Which arguments of a Redis command are keys, and whether it may change them.

Written by tools/redis_commands.py from the COMMAND output of redis-server 8.0.2; change that
instead. Commands that behave alike share one entry: kind, key specifications, names.
"""

from typing import NamedTuple


class Keys(NamedTuple):
    """Where a command has keys, as in the server's key specifications.

    ``begin`` is the index of the first one or the keyword before it (then searched from ``start``).
    ``find`` is "range" with last (relative to begin, negative: from the end), step and limit, or
    "number" with the index of their number (relative to begin), first and step, or "unknown".
    """

    writes: bool
    begin: int | str
    start: int
    find: str
    numbers: tuple[int, int, int]


SERVER = "8.0.2"

# fmt: off
GROUPS: tuple[tuple[str, tuple[Keys, ...], str], ...] = (
    ("container", (
    ), (
        "ACL, CLIENT, CLUSTER, COMMAND, CONFIG, FUNCTION, LATENCY, MEMORY, MODULE, OBJECT, "
        "PUBSUB, SCRIPT, SLOWLOG, XGROUP, XINFO"
    )),
    ("other blocking", (
    ), (
        "WAIT, WAITAOF"
    )),
    ("other", (
        Keys(False, 1, 0, "range", (-1, 1, 0)),
    ), (
        "WATCH"
    )),
    ("other", (
        Keys(True, 2, 0, "number", (0, 1, 1)),
    ), (
        "EVAL, EVALSHA, FCALL"
    )),
    ("other", (
    ), (
        "ACL CAT, ACL DELUSER, ACL DRYRUN, ACL GENPASS, ACL GETUSER, ACL HELP, ACL LIST, "
        "ACL LOAD, ACL LOG, ACL SAVE, ACL SETUSER, ACL USERS, ACL WHOAMI, ASKING, AUTH, "
        "BGREWRITEAOF, BGSAVE, CLIENT CACHING, CLIENT GETNAME, CLIENT GETREDIR, CLIENT HELP, "
        "CLIENT ID, CLIENT INFO, CLIENT KILL, CLIENT LIST, CLIENT NO-EVICT, CLIENT NO-TOUCH, "
        "CLIENT PAUSE, CLIENT REPLY, CLIENT SETINFO, CLIENT SETNAME, CLIENT TRACKING, "
        "CLIENT TRACKINGINFO, CLIENT UNBLOCK, CLIENT UNPAUSE, CLUSTER ADDSLOTS, "
        "CLUSTER ADDSLOTSRANGE, CLUSTER BUMPEPOCH, CLUSTER COUNT-FAILURE-REPORTS, "
        "CLUSTER COUNTKEYSINSLOT, CLUSTER DELSLOTS, CLUSTER DELSLOTSRANGE, CLUSTER FAILOVER, "
        "CLUSTER FLUSHSLOTS, CLUSTER FORGET, CLUSTER GETKEYSINSLOT, CLUSTER HELP, "
        "CLUSTER INFO, CLUSTER KEYSLOT, CLUSTER LINKS, CLUSTER MEET, CLUSTER MYID, "
        "CLUSTER MYSHARDID, CLUSTER NODES, CLUSTER REPLICAS, CLUSTER REPLICATE, CLUSTER RESET, "
        "CLUSTER SAVECONFIG, CLUSTER SET-CONFIG-EPOCH, CLUSTER SETSLOT, CLUSTER SHARDS, "
        "CLUSTER SLAVES, CLUSTER SLOTS, COMMAND COUNT, COMMAND DOCS, COMMAND GETKEYS, "
        "COMMAND GETKEYSANDFLAGS, COMMAND HELP, COMMAND INFO, COMMAND LIST, CONFIG GET, "
        "CONFIG HELP, CONFIG RESETSTAT, CONFIG REWRITE, CONFIG SET, DEBUG, DISCARD, ECHO, "
        "EXEC, FAILOVER, FUNCTION DUMP, FUNCTION HELP, FUNCTION KILL, FUNCTION LIST, "
        "FUNCTION STATS, HELLO, INFO, LASTSAVE, LATENCY DOCTOR, LATENCY GRAPH, LATENCY HELP, "
        "LATENCY HISTOGRAM, LATENCY HISTORY, LATENCY LATEST, LATENCY RESET, MEMORY DOCTOR, "
        "MEMORY HELP, MEMORY MALLOC-STATS, MEMORY PURGE, MEMORY STATS, MODULE HELP, "
        "MODULE LIST, MODULE LOAD, MODULE LOADEX, MODULE UNLOAD, MONITOR, MULTI, OBJECT HELP, "
        "PFSELFTEST, PING, PSUBSCRIBE, PSYNC, PUBLISH, PUBSUB CHANNELS, PUBSUB HELP, "
        "PUBSUB NUMPAT, PUBSUB NUMSUB, PUBSUB SHARDCHANNELS, PUBSUB SHARDNUMSUB, PUNSUBSCRIBE, "
        "QUIT, READONLY, READWRITE, REPLCONF, REPLICAOF, RESET, ROLE, SAVE, SCRIPT DEBUG, "
        "SCRIPT EXISTS, SCRIPT FLUSH, SCRIPT HELP, SCRIPT KILL, SCRIPT LOAD, SELECT, SHUTDOWN, "
        "SLAVEOF, SLOWLOG GET, SLOWLOG HELP, SLOWLOG LEN, SLOWLOG RESET, SPUBLISH, SSUBSCRIBE, "
        "SUBSCRIBE, SUNSUBSCRIBE, SYNC, TIME, UNSUBSCRIBE, UNWATCH, XGROUP HELP, XINFO HELP"
    )),
    ("read blocking", (
        Keys(False, "STREAMS", 1, "range", (-1, 1, 2)),
    ), (
        "XREAD"
    )),
    ("read", (
        Keys(False, 1, 0, "number", (0, 1, 1)),
    ), (
        "SINTERCARD, ZDIFF, ZINTER, ZINTERCARD, ZUNION"
    )),
    ("read", (
        Keys(False, 1, 0, "range", (-1, 1, 0)),
    ), (
        "EXISTS, MGET, SDIFF, SINTER, SUNION, TOUCH"
    )),
    ("read", (
        Keys(False, 1, 0, "range", (0, 1, 0)),
        Keys(False, 0, 0, "unknown", (0, 0, 0)),
    ), (
        "SORT_RO"
    )),
    ("read", (
        Keys(False, 1, 0, "range", (0, 1, 0)),
    ), (
        "BITCOUNT, BITFIELD_RO, BITPOS, DUMP, EXPIRETIME, GEODIST, GEOHASH, GEOPOS, "
        "GEORADIUSBYMEMBER_RO, GEORADIUS_RO, GEOSEARCH, GET, GETBIT, GETRANGE, HEXISTS, "
        "HEXPIRETIME, HGET, HGETALL, HKEYS, HLEN, HMGET, HPEXPIRETIME, HPTTL, HRANDFIELD, "
        "HSCAN, HSTRLEN, HTTL, HVALS, LINDEX, LLEN, LPOS, LRANGE, PEXPIRETIME, PTTL, SCARD, "
        "SISMEMBER, SMEMBERS, SMISMEMBER, SRANDMEMBER, SSCAN, STRLEN, SUBSTR, TTL, TYPE, XLEN, "
        "XPENDING, XRANGE, XREVRANGE, ZCARD, ZCOUNT, ZLEXCOUNT, ZMSCORE, ZRANDMEMBER, ZRANGE, "
        "ZRANGEBYLEX, ZRANGEBYSCORE, ZRANK, ZREVRANGE, ZREVRANGEBYLEX, ZREVRANGEBYSCORE, "
        "ZREVRANK, ZSCAN, ZSCORE"
    )),
    ("read", (
        Keys(False, 1, 0, "range", (1, 1, 0)),
    ), (
        "LCS"
    )),
    ("read", (
        Keys(False, 2, 0, "number", (0, 1, 1)),
    ), (
        "EVALSHA_RO, EVAL_RO, FCALL_RO"
    )),
    ("read", (
        Keys(False, 2, 0, "range", (0, 1, 0)),
    ), (
        "MEMORY USAGE, OBJECT ENCODING, OBJECT FREQ, OBJECT IDLETIME, OBJECT REFCOUNT, "
        "XINFO CONSUMERS, XINFO GROUPS, XINFO STREAM"
    )),
    ("read", (
        Keys(True, 1, 0, "range", (-1, 1, 0)),
    ), (
        "PFCOUNT"
    )),
    ("read", (
        Keys(True, 1, 0, "range", (0, 1, 0)),
    ), (
        "VCARD, VDIM, VEMB, VGETATTR, VINFO, VISMEMBER, VLINKS, VRANDMEMBER, VSIM"
    )),
    ("read", (
    ), (
        "DBSIZE, KEYS, LOLWUT, RANDOMKEY, SCAN"
    )),
    ("write blocking", (
        Keys(True, "STREAMS", 4, "range", (-1, 1, 2)),
    ), (
        "XREADGROUP"
    )),
    ("write blocking", (
        Keys(True, 1, 0, "range", (-2, 1, 0)),
    ), (
        "BLPOP, BRPOP, BZPOPMAX, BZPOPMIN"
    )),
    ("write blocking", (
        Keys(True, 1, 0, "range", (0, 1, 0)),
        Keys(True, 2, 0, "range", (0, 1, 0)),
    ), (
        "BLMOVE, BRPOPLPUSH"
    )),
    ("write blocking", (
        Keys(True, 2, 0, "number", (0, 1, 1)),
    ), (
        "BLMPOP, BZMPOP"
    )),
    ("write", (
        Keys(False, 1, 0, "range", (0, 1, 0)),
        Keys(False, 0, 0, "unknown", (0, 0, 0)),
        Keys(True, 0, 0, "unknown", (0, 0, 0)),
    ), (
        "SORT"
    )),
    ("write", (
        Keys(False, 1, 0, "range", (0, 1, 0)),
        Keys(True, "STORE", 5, "range", (0, 1, 0)),
        Keys(True, "STOREDIST", 5, "range", (0, 1, 0)),
    ), (
        "GEORADIUSBYMEMBER"
    )),
    ("write", (
        Keys(False, 1, 0, "range", (0, 1, 0)),
        Keys(True, "STORE", 6, "range", (0, 1, 0)),
        Keys(True, "STOREDIST", 6, "range", (0, 1, 0)),
    ), (
        "GEORADIUS"
    )),
    ("write", (
        Keys(False, 1, 0, "range", (0, 1, 0)),
        Keys(True, 2, 0, "range", (0, 1, 0)),
    ), (
        "COPY"
    )),
    ("write", (
        Keys(True, 1, 0, "number", (0, 1, 1)),
    ), (
        "LMPOP, ZMPOP"
    )),
    ("write", (
        Keys(True, 1, 0, "range", (-1, 1, 0)),
    ), (
        "DEL, UNLINK"
    )),
    ("write", (
        Keys(True, 1, 0, "range", (-1, 2, 0)),
    ), (
        "MSET, MSETNX"
    )),
    ("write", (
        Keys(True, 1, 0, "range", (0, 1, 0)),
        Keys(False, 2, 0, "number", (0, 1, 1)),
    ), (
        "ZDIFFSTORE, ZINTERSTORE, ZUNIONSTORE"
    )),
    ("write", (
        Keys(True, 1, 0, "range", (0, 1, 0)),
        Keys(False, 2, 0, "range", (-1, 1, 0)),
    ), (
        "PFMERGE, SDIFFSTORE, SINTERSTORE, SUNIONSTORE"
    )),
    ("write", (
        Keys(True, 1, 0, "range", (0, 1, 0)),
        Keys(False, 2, 0, "range", (0, 1, 0)),
    ), (
        "GEOSEARCHSTORE, ZRANGESTORE"
    )),
    ("write", (
        Keys(True, 1, 0, "range", (0, 1, 0)),
        Keys(True, 2, 0, "range", (0, 1, 0)),
    ), (
        "LMOVE, RENAME, RENAMENX, RPOPLPUSH, SMOVE"
    )),
    ("write", (
        Keys(True, 1, 0, "range", (0, 1, 0)),
    ), (
        "APPEND, BITFIELD, DECR, DECRBY, EXPIRE, EXPIREAT, GEOADD, GETDEL, GETEX, GETSET, "
        "HDEL, HEXPIRE, HEXPIREAT, HGETDEL, HGETEX, HINCRBY, HINCRBYFLOAT, HMSET, HPERSIST, "
        "HPEXPIRE, HPEXPIREAT, HSET, HSETEX, HSETNX, INCR, INCRBY, INCRBYFLOAT, LINSERT, LPOP, "
        "LPUSH, LPUSHX, LREM, LSET, LTRIM, MOVE, PERSIST, PEXPIRE, PEXPIREAT, PFADD, PSETEX, "
        "RESTORE, RESTORE-ASKING, RPOP, RPUSH, RPUSHX, SADD, SET, SETBIT, SETEX, SETNX, "
        "SETRANGE, SPOP, SREM, VADD, VREM, VSETATTR, XACK, XADD, XAUTOCLAIM, XCLAIM, XDEL, "
        "XSETID, XTRIM, ZADD, ZINCRBY, ZPOPMAX, ZPOPMIN, ZREM, ZREMRANGEBYLEX, "
        "ZREMRANGEBYRANK, ZREMRANGEBYSCORE"
    )),
    ("write", (
        Keys(True, 2, 0, "range", (0, 1, 0)),
        Keys(False, 3, 0, "range", (-1, 1, 0)),
    ), (
        "BITOP"
    )),
    ("write", (
        Keys(True, 2, 0, "range", (0, 1, 0)),
    ), (
        "PFDEBUG, XGROUP CREATE, XGROUP CREATECONSUMER, XGROUP DELCONSUMER, XGROUP DESTROY, "
        "XGROUP SETID"
    )),
    ("write", (
        Keys(True, 3, 0, "range", (0, 1, 0)),
        Keys(True, "KEYS", -2, "range", (-1, 1, 0)),
    ), (
        "MIGRATE"
    )),
    ("write", (
    ), (
        "FLUSHALL, FLUSHDB, FUNCTION DELETE, FUNCTION FLUSH, FUNCTION LOAD, FUNCTION RESTORE, "
        "SWAPDB"
    )),
)
# fmt: on
