# SPDX-License-Identifier: MIT
"""Prints what is sent to NOTIFY_SOCKET, one message a line."""
import socket
import sys

with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
    server.bind(sys.argv[1])
    while True:
        print(server.recv(4096).decode(), flush=True)
