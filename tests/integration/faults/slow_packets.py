#!/usr/bin/env python3
"""Lets the packets that iptables puts into queue 0 (-j NFQUEUE) of this network namespace go on after a random time each,
so that they are late and out of order.

  slow_packets.py --most=MILLISECONDS [--seed=N]

It speaks netfilter's netlink itself (linux/netfilter/nfnetlink_queue.h): a packet's number in, a verdict out.
"""
import argparse
import heapq
import os
import random
import select
import socket
import struct
import time

NETLINK_NETFILTER = 12
QUEUE = 3 << 8  # NFNL_SUBSYS_QUEUE, the high byte of a message's type
PACKET, VERDICT, CONFIG = QUEUE | 0, QUEUE | 1, QUEUE | 2
ACCEPT = 1
LATE = 20_000  # packets kept at most; then the oldest goes on


def attribute(kind, data):
    padding = -len(data) % 4
    return struct.pack("=HH", 4 + len(data), kind) + data + b"\0" * padding


def message(kind, attributes, queue=0):
    body = struct.pack("=BBH", 0, 0, socket.htons(queue)) + attributes
    return struct.pack("=IHHII", 16 + len(body), kind, 1, 0, 0) + body  # NLM_F_REQUEST


def numbers_in(data):
    """Of each packet in what was received, the number by which the kernel knows it."""
    while len(data) >= 16:
        length, kind = struct.unpack_from("=IH", data)
        if length < 16:
            return
        at = 20
        while kind == PACKET and at + 4 <= length:
            size, which = struct.unpack_from("=HH", data, at)
            if which & 0x7FFF == 1:  # NFQA_PACKET_HDR
                yield struct.unpack_from("!I", data, at + 4)[0]
            at += max(4, size + (-size % 4))
        data = data[length + (-length % 4):]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--most", type=float, required=True)
    parser.add_argument("--seed", default="")
    parser.add_argument("--test", help="whose process this is, for who looks at the process table")
    options = parser.parse_args()
    chance = random.Random(options.seed)

    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    netlink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    netlink.bind((0, 0))
    netlink.send(message(CONFIG, attribute(1, struct.pack("!BBH", 1, 0, 0))))       # bind to the queue
    netlink.send(message(CONFIG, attribute(2, struct.pack("!IB", 0, 1))))            # tell of packets, not their contents
    netlink.send(message(CONFIG, attribute(3, struct.pack("!I", LATE))))

    kept, parent = [], os.getppid()
    while os.getppid() == parent:  # not longer than the test
        wait = max(0.0, kept[0][0] - time.monotonic()) if kept else 1.0
        if select.select([netlink], [], [], wait)[0]:
            try:
                data = netlink.recv(1 << 20)
            except OSError:  # ENOBUFS: some were dropped, as on a busy line
                continue
            for number in numbers_in(data):
                heapq.heappush(kept, (time.monotonic() + chance.uniform(0, options.most / 1000), number))
        while kept and (kept[0][0] <= time.monotonic() or len(kept) > LATE // 2):
            verdict = struct.pack("!II", ACCEPT, heapq.heappop(kept)[1])
            try:
                netlink.send(message(VERDICT, attribute(2, verdict)))
            except OSError:  # its interface is gone
                continue


if __name__ == "__main__":
    main()
