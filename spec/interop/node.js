// A proxy on Node's own modules, as a program would have it.
const fs = require('fs'), http = require('http'), zlib = require('zlib');
const agent = new http.Agent({ keepAlive: true });

function proxy(request, response) {
  const { method, url, headers } = request;
  const kept = ['content-length', 'content-type'].filter((name) => headers[name]);
  const upstream = http.request({
    host: '127.0.0.1', port: @backend@, method, path: url, agent,
    headers: Object.fromEntries(kept.map((name) => [name, headers[name]])),
  }, (reply) => {
    const gzip = url.startsWith('/gzip/');
    const { 'content-type': type, 'content-length': length } = reply.headers;
    response.writeHead(reply.statusCode, gzip
      ? { 'content-type': type, 'content-encoding': 'gzip' }
      : { 'content-type': type, 'content-length': length });
    (gzip ? reply.pipe(zlib.createGzip()) : reply).pipe(response);
  });
  upstream.on('error', () => response.destroy());
  request.pipe(upstream);
}

const tls = { cert: fs.readFileSync('@cert@'), key: fs.readFileSync('@key@') };
const server = '@protocol@' === 'h2' ? require('http2').createSecureServer(tls, proxy)
  : require('https').createServer({ ...tls, keepAliveTimeout: @idle@000 }, proxy);
server.on('session', (session) => session.setTimeout(@idle@000, () => session.close()));
server.listen(@port@, '127.0.0.1');
process.on('SIGTERM', () => process.exit());
