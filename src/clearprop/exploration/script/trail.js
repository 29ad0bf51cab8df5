// What is kept of a run's epochs: all of them at first, then every second, every fourth, ..., so that a run
// of any length takes the same memory.

export class Trail {
  constructor(most) {
    Object.assign(this, { most, every: 1, points: [] });
  }

  // Keep a point, which is made where its epoch is one of those that are kept.
  add(epoch, make) {
    if (epoch % this.every || epoch <= this.points.at(-1)?.epoch) return;
    this.points.push({ epoch, ...make() });
    if (this.points.length <= this.most) return;
    this.every *= 2;
    this.points = this.points.filter((each) => each.epoch % this.every === 0);
  }

  // Forget what comes after an epoch.
  cut(epoch) {
    while (this.points.length && this.points.at(-1).epoch > epoch) this.points.pop();
  }
}
