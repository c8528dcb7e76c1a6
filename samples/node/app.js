// A function in Node over HTTP: of-watchdog starts it once and hands it every call (mode=http).
'use strict';

const http = require('http');

const server = http.createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    const text = Buffer.concat(parts).toString();
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({method: request.method, path: request.url, reversed: [...text].reverse().join('')}) + '\n');
  });
});

// What upstream_url names.
server.listen(5000, '127.0.0.1');
