"""The reference miner: a small sha256d worker that proves the whole path with real hashes.

A pool's lines become jobs (`stratum`, `pool_client`), jobs become headers for N niced hashing
processes (`crew`, `worker`), their winning nonces become shares that go back to the pool. The
HTTP API (`http_api`, `summary`) reports and pauses it exactly as xmrig's does, so the bridge
drives it with the ordinary xmrig plugin. It connects to the pool its owner names and nowhere else.
"""
