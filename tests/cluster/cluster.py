"""The cluster as it is deployed: two of each process of the Procfile, over PostgreSQL and Redis."""

import shlex
from pathlib import Path

import psycopg

from tests.cluster import market_model
from tests.cluster.monitors import DatabaseMonitor, Poller, Receiver, WebMonitor
from tests.cluster.processes import ROOT, Program
from tests.postgresql_server import PostgreSQL
from tests.processes import free_port, listens
from tests.redis_server import RedisServer
from tests.waiting import wait_for


def procfile() -> dict[str, str]:
    """Commands by the names of their processes."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    return {name: command.strip() for name, _, command in (line.partition(":") for line in lines)}


class Cluster:
    """All processes, with their files in `folder`, and the monitors that observe them from outside."""

    def __init__(self, folder: Path) -> None:
        self.spikes = folder / "spikes.json"
        self.postgresql = PostgreSQL()
        self.redis = RedisServer()
        self.receiver = Receiver()
        self._exchange_port, self.port = free_port(), free_port()
        self._settings = {
            "DATABASE_URL": self.postgresql.url,
            "REDIS_URL": self.redis.url,
            "EXCHANGE_BASE_URL": f"http://127.0.0.1:{self._exchange_port}",
            "NOTIFY_URLS": self.receiver.url,
            "WEBHOOK_ALLOW_PRIVATE": "true",
            "TRACK": market_model.TRACK,
            "PERIOD_SECONDS": str(market_model.PERIOD),
            "SCHEDULER": "off",
            "PORT": str(self.port),
        }
        lines = procfile()
        self._folder = folder
        self._release = self._program("release", lines["release"])
        self.clocks = [self._program(f"clock {number}", lines["dispatch"]) for number in (1, 2)]
        # Two workers on one machine need different names.
        self.workers = [
            self._program(f"worker {number}", f"{lines['worker']} --hostname worker{number}@%h") for number in (1, 2)
        ]
        self.web = self._program("web", f"{lines['web']} --workers 2 --config {ROOT}/gunicorn.conf.py")
        exchange = f"python -m tests.cluster.exchange_server {self._exchange_port} {self.spikes}"
        self.exchange = self._program("exchange", exchange)
        self.programs = [self.exchange, *self.workers, *self.clocks, self.web]
        self.database = DatabaseMonitor(self.postgresql.url, market_model.PERIOD)
        self.web_monitor = WebMonitor(self.port)
        self._pollers: list[Poller] = []

    def start(self) -> None:
        """Start all processes; returns when prices arrive and the backfill is complete."""
        market_model.write_spikes(self.spikes, {})
        self.postgresql.start()
        self.redis.start()
        self._release.start()
        assert self._release.wait() == 0, self._release.log.read_text()
        for program in self.programs:
            program.start()
        self._pollers.append(Poller(self.database.poll))
        wait_for(lambda: listens(self.port), seconds=60, what="the web")
        for clock in self.clocks:
            wait_for(lambda log=clock.log: "has the clock" in log.read_text(), 60, f"{clock.name}")
        for worker in self.workers:
            wait_for(lambda log=worker.log: " ready." in log.read_text(), 60, f"{worker.name}")
        wait_for(self._is_complete, 60, "the backfill")
        wait_for(self.database.minute, 60, "the first tick")
        self._pollers.append(Poller(self.web_monitor.poll))

    def leader(self) -> Program | None:
        """The clock process that holds the lease."""
        owner = self.database.owner()
        return next((clock for clock in self.clocks if clock.runs and owner and f":{clock.pid}:" in owner), None)

    def start_exchange(self) -> None:
        self.exchange.start()
        wait_for(lambda: listens(self._exchange_port), what="the exchange")

    def close(self) -> None:
        """End all processes; raises the error that stopped a monitor, if any."""
        try:
            for poller in self._pollers:
                poller.close()
        finally:
            for program in self.programs:
                program.kill()
            self.redis.kill()
            self.postgresql.remove()
            self.receiver.close()
            self.database.close()

    def _is_complete(self) -> bool:
        with psycopg.connect(self.postgresql.url) as connection:
            rows = connection.execute("SELECT done, total FROM backfill_progress WHERE total > 0").fetchall()
        return len(rows) == len(market_model.HOSTS) and all(done == total for done, total in rows)

    def _program(self, name: str, command: str) -> Program:
        arguments = shlex.split(command.replace("${PORT:-8888}", str(self.port)))
        match arguments:
            case ["python", "app.py", *rest]:
                arguments = [str(ROOT / "app.py"), *rest]
            case ["python", *rest]:
                arguments = rest
            case _:
                arguments = ["-m", *arguments]
        return Program(name, tuple(arguments), self._folder, self._settings)
