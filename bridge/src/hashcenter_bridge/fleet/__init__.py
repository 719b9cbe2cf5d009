"""The ASICs of one bridge: each has its own task, its own lateness, its own lease.

station (one machine: looks at it, does to it)  x n  ->  fleet (decides all, keeps what lasts)
"""
