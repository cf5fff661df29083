// A process of its own: answers every request with a stream of events, the first one at once, and tells its port.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const EVENTS = 25;
const EVERY_MS = 20;

const server = createServer((incoming, response) => {
  incoming.resume();
  incoming.on('end', () => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    let sent = 0;
    const send = (): void => {
      sent += 1;
      response.write(`data: {"type":"response.output_text.delta","delta":"${'x'.repeat(80)}"}\n\n`);
      if (sent < EVENTS) return;
      clearInterval(timer);
      response.end('data: {"type":"response.completed","response":{"usage":{"input_tokens":9,"output_tokens":1}}}\n\n');
    };
    const timer = setInterval(send, EVERY_MS);
    response.on('close', () => clearInterval(timer));
    send();
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
