// Loaded into the suite's process before the suite (`node --import`): writes down which requests its servers were sent, and
// when, as exchanges.json beside the suite's own results. Nothing else changes, but each request waits a moment before it is
// handled: requests that were on their way at once overlap then, and those that waited for each other do not.
import { Server } from 'node:http';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const MOMENT = 20;
const results = process.argv[process.argv.indexOf('-o') + 1];
const exchanges = [];

const emit = Server.prototype.emit;
Server.prototype.emit = function (event, request, response, ...rest) {
  if (event !== 'request') return emit.call(this, event, request, response, ...rest);
  const { method, url } = request;
  // The query holds codes and states, which nobody needs who counts.
  const exchange = { method, port: this.address()?.port, path: url.split('?')[0], status: 0, began: performance.now(), ended: null };
  exchanges.push(exchange);
  response.once('close', () => {
    exchange.status = response.statusCode;
    exchange.ended = performance.now();
  });
  setTimeout(() => emit.call(this, event, request, response, ...rest), MOMENT);
  return true;
};

process.on('exit', () => {
  if (exchanges.length > 0) writeFileSync(join(results, 'exchanges.json'), JSON.stringify(exchanges, null, 1));
});
