// Bystander: a pair of ordinary clients that goes on talking while others misbehave.

import { unique } from './suite.mjs';

export class Bystander {
  static async join(world) {
    const bystander = new Bystander();
    bystander.topic = unique('bystander');
    bystander.subscriber = await world.raw(5);
    bystander.publisher = await world.raw(4);
    await bystander.subscriber.subscribe({ filter: bystander.topic, qos: 1 });
    bystander.beats = 0;
    return bystander;
  }

  // One message, acknowledged and delivered; returns the ms it took.
  async beat(ms) {
    const started = performance.now();
    const text = `beat ${++this.beats}`;
    await this.publisher.published(this.topic, text);
    const message = await this.subscriber.message({ ms });
    if (message.text !== text) throw new Error(`bystander got ${message.text}, not ${text}`);
    return performance.now() - started;
  }

  // Beats until `work` is done; returns what it returned and the slowest beat in ms.
  async during(work) {
    let done = false;
    const working = work().finally(() => { done = true; });
    let slowest = 0;
    const beating = (async () => {
      do slowest = Math.max(slowest, await this.beat()); while (!done);
    })();
    const [result] = await Promise.all([working, beating]);
    return { result, slowest };
  }
}
