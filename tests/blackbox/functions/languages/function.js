// The same in JavaScript (see function.c).
const http = require('http');

const [shape, more] = process.argv.slice(2);

function whole(use) {
  const parts = [];
  process.stdin.on('data', (part) => parts.push(part));
  process.stdin.on('end', () => use(Buffer.concat(parts)));
}

// Requests from standard input, one after the other, each with a Content-Length or without a body.
function burn() {
  let waiting = Buffer.alloc(0);
  process.stdin.on('data', (part) => {
    waiting = Buffer.concat([waiting, part]);
    for (let end; (end = waiting.indexOf('\r\n\r\n')) >= 0;) {
      const head = waiting.toString('latin1', 0, end);
      const length = Number((/^content-length: *(\d+)/im.exec(head) || [0, 0])[1]);
      if (waiting.length < end + 4 + length) return;
      const body = Buffer.concat([Buffer.from(head.split('\r\n')[0] + '\n'), waiting.subarray(end + 4, end + 4 + length)]);
      waiting = waiting.subarray(end + 4 + length);
      process.stdout.write(`HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n`);
      process.stdout.write(body);
    }
  });
}

function serve() {
  const server = http.createServer((request, response) => {
    const parts = [Buffer.from(`${request.method} ${request.url} HTTP/${request.httpVersion}\n`)];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts);
      response.writeHead(200, {'Content-Type': 'text/plain', 'Content-Length': body.length});
      response.end(body);
    });
  });
  server.listen(Number(more), '127.0.0.1');
  process.on('SIGTERM', () => process.exit(0));
}

const shapes = {
  upper: () => whole((all) => process.stdout.write(all.toString('latin1').toUpperCase(), 'latin1')),
  invert: () => whole((all) => process.stdout.write(all.map((byte) => byte ^ 0xff))),
  greet: () => whole((all) => process.stdout.write(JSON.stringify({hello: JSON.parse(all).name}))),
  ignore: () => console.log('not read'),
  env: () => console.log(process.env[more] || '(none)'),
  lines: () => {
    let n = 0;
    require('readline').createInterface({input: process.stdin}).on('line', (line) => console.log(`${++n} ${line}`));
  },
  http: serve,
  burn,
};
shapes[shape]();
