"""The whole product on this machine, without a GPU: `./dev demo`, and `./dev demo --check`.

`demo.py` starts every part as a process of its own and connects them: the broker, the fake GPUs'
library, a loopback pool, the building model, the real bridge, the real Home Assistant.
`newcomer.py` does what a person would click at first; `check.py` acts as a user and says, step by
step, what held.
"""
