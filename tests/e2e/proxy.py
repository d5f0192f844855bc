"""A TCP proxy that can be cut: bytes stop in both directions and nobody is told, as in a network partition."""

import selectors
import socket
import threading

BUFFER_BYTES = 1 << 16


class Proxy:
    """Listens on a port of its own and forwards to `target`, (host, port)."""

    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.is_cut = threading.Event()
        self.lock = threading.Lock()
        self.sockets = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        self.is_cut.set()

    def heal(self):
        """New connections work; those that were cut are gone, as after a partition of any length."""
        with self.lock:
            for connection in self.sockets:
                connection.close()
            self.sockets.clear()
        self.is_cut.clear()

    def close(self):
        self.listener.close()
        self.heal()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.sockets.append(client)
            if self.is_cut.is_set():
                continue  # it stays open, and silent
            try:
                server = socket.create_connection(self.target)
            except OSError:
                client.close()
                continue
            with self.lock:
                self.sockets.append(server)
            threading.Thread(target=self._forward, args=(client, server), daemon=True).start()

    def _forward(self, client, server):
        other = {client: server, server: client}
        with selectors.DefaultSelector() as selector:
            try:
                for one in other:
                    selector.register(one, selectors.EVENT_READ)
                while True:
                    for key, _ in selector.select(timeout=0.1):
                        data = key.fileobj.recv(BUFFER_BYTES)
                        if not data:
                            return
                        if not self.is_cut.is_set():
                            other[key.fileobj].sendall(data)
            except (OSError, ValueError):
                return
            finally:
                client.close()
                server.close()
