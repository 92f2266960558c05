// What the charts draw, from a results file of tare race.

export class Results {
  constructor(json) {
    this.json = json;
    this.entries = new Map(json.results.map((one) => [`${one.peer} ${one.workload}`, one]));
    // Lightest first, and what is not a runtime last: the order in every chart and table.
    this.peers = json.peers
      .filter((peer) => json.results.some((one) => one.peer === peer.name))
      .sort((a, b) => a.floor - b.floor || this.asleep(a) - this.asleep(b));
    this.missing = json.peers.filter((peer) => peer.absent || peer.failed);
  }

  entry(peer, workload) {
    return this.entries.get(`${peer.name} ${workload}`);
  }

  asleep(peer) {
    return this.weight(peer, "empty") ?? Infinity;
  }

  // Bytes per task.
  weight(peer, workload) {
    return this.entry(peer, workload)?.slope_bytes ?? undefined;
  }

  weights(workload) {
    return this.rows((peer) => this.weight(peer, workload));
  }

  // A row for each peer that has a value.
  rows(value) {
    return this.peers
      .map((peer) => ({ peer, name: peer.title, value: value(peer), kind: kindOf(peer) }))
      .filter((row) => Number.isFinite(row.value));
  }

  // In nanoseconds, at the largest number of tasks up to a million.
  spawning() {
    return this.rows((peer) => {
      const points = (this.entry(peer, "empty")?.points ?? []).filter((one) => one.n > 1 && one.n <= 1e6);
      const last = points.at(-1);
      return (last?.reported.spawn_seconds * 1e9) / last?.n;
    });
  }

  awaiting() {
    return this.rows((peer) => {
      const last = this.entry(peer, "mostly-ready")?.points.at(-1);
      return (last?.reported.seconds * 1e9) / last?.n;
    });
  }

  churning() {
    return this.rows((peer) => {
      const last = this.entry(peer, "churn")?.points.at(-1);
      return (last?.reported.seconds * 1e9) / last?.n;
    });
  }

  // Resident memory by number of sleeping tasks.
  memory() {
    return this.peers.flatMap((peer) =>
      (this.entry(peer, "empty")?.points ?? []).map((point) => ({
        peer,
        name: peer.title,
        kind: kindOf(peer),
        n: point.n,
        value: point.rss_bytes,
      })),
    );
  }

  get subject() {
    return this.json.peers.find((peer) => peer.subject && this.peers.includes(peer));
  }
}

export function kindOf(peer) {
  if (peer.subject) return "subject";
  return peer.floor ? "floor" : "other";
}

// --- figures formatted for people

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export function bytesPerTask(value) {
  return value < 100 ? value.toFixed(1) : grouped.format(value);
}

export function count(value) {
  if (value >= 1e6) return `${value / 1e6} million`;
  return grouped.format(value);
}

export function shortCount(value) {
  if (value >= 1e6) return `${value / 1e6}M`;
  return value >= 1e3 ? `${value / 1e3}k` : `${value}`;
}

export function memory(bytes) {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  return bytes >= 1e8 ? `${(bytes / 1e6).toFixed(0)} MB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

export function nanoseconds(value) {
  if (value >= 1000) return `${(value / 1000).toFixed(1)} µs`;
  return value < 100 ? `${value.toFixed(1)} ns` : `${value.toFixed(0)} ns`;
}
