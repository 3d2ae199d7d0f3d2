// Starts an authorization server (oidc-provider) and an MCP server that it protects, both on loopback and on ports of their
// own, and writes what a client must know to the file that is named: `serve.mjs <file>`.
//
// The MCP server has several endpoints, each a resource of its own:
//
//   /mcp           opaque tokens, asked about; an hour
//   /jwt/mcp       signed tokens; an hour
//   /short/mcp     opaque tokens that live for `--lifetime` seconds (default 4)
//   /bound/mcp     tokens that are bound to a key (RFC 9449)
//   /offline/mcp   a refresh token only for `offline_access`, as oidc-provider has it by default
//   /unlisted/mcp  a scope that the authorization server does not list, so that no client can register for it
//
// Under /admin/ on the MCP server a test sees and changes what has happened:
//
//   GET  /admin/log?since=N          what both servers have done, from entry N
//   GET  /admin/counters             the same, counted
//   POST /admin/refuse?path=/mcp     tokens seen so far are taken there no more
//   POST /admin/forget-client?id=…   the authorization server does not know the client any more
import { createServer } from 'node:http';
import { renameSync, writeFileSync } from 'node:fs';
import { authorizationServer, CLIENT_DOCUMENT, RESOURCE_SERVER } from './authorization-server.mjs';
import { McpServer } from './mcp-server.mjs';

const [file, ...options] = process.argv.slice(2);
const lifetime = Number(options[options.indexOf('--lifetime') + 1] ?? NaN) || 4;
if (!file) throw new Error('usage: serve.mjs <file> [--lifetime seconds]');

const listen = (server) =>
  new Promise((done, failed) => server.on('error', failed).listen(0, '127.0.0.1', () => done(server.address().port)));

let handle = (request, response) => response.writeHead(503).end();
const issuerServer = createServer((request, response) => handle(request, response));
const resourceServer = createServer((request, response) => serve(request, response));
const issuer = `http://127.0.0.1:${await listen(issuerServer)}`;
const origin = `http://127.0.0.1:${await listen(resourceServer)}`;

const both = ['tools:read', 'tools:write'];
const resource = (path, more = {}) => ({
  url: `${origin}${path}`, lifetime: 3600, format: 'opaque', scopes: both, needed: ['tools:read'], ...more });
const resources = [
  resource('/mcp'),
  resource('/jwt/mcp', { format: 'jwt' }),
  resource('/short/mcp', { lifetime }),
  resource('/bound/mcp', { bound: true }),
  resource('/offline/mcp', { lifetime, offline: true }),
  resource('/unlisted/mcp', { scopes: ['tools:unlisted'], needed: ['tools:unlisted'] }),
];

const { provider, log, clientKey } = await authorizationServer(issuer, resources);
handle = provider.callback();
const mcp = new McpServer(issuer, RESOURCE_SERVER, resources);

/** Everything that has happened, in its order. */
const entries = [];
for (const [server, list] of [['issuer', log], ['mcp', mcp.log]]) {
  list.push = (...added) => {
    entries.push(...added.map((entry) => ({ server, ...entry })));
    return entries.length;
  };
}

const counters = () => {
  const count = (test) => entries.filter(test).length;
  const ok = (entry) => entry.status < 400;
  const token = (grant) => count((it) => it.route === 'token' && it.grant === grant && ok(it));
  return {
    registrations: count((it) => it.route === 'registration' && ok(it)),
    codes: token('authorization_code'),
    refreshes: token('refresh_token'),
    client_credentials: token('client_credentials'),
    device_codes: token('urn:ietf:params:oauth:grant-type:device_code'),
    token_errors: count((it) => it.route === 'token' && !ok(it)),
    reused: count((it) => it.event === 'grant.error' && it.why.includes('already used')),
    families_revoked: count((it) => it.event === 'grant.revoked'),
    revocations: count((it) => it.route === 'revocation' && ok(it)),
    pushed: count((it) => it.route === 'pushed_authorization_request' && ok(it)),
    logins: count((it) => it.route === 'submit' && it.prompt === 'login'),
    consents: count((it) => it.route === 'submit' && it.prompt === 'consent'),
    refusals: count((it) => it.route === 'abort'),
    calls: count((it) => it.server === 'mcp' && ok(it)),
    refused_calls: count((it) => it.server === 'mcp' && !ok(it)),
  };
};

async function admin(url, method) {
  const query = url.searchParams;
  switch (`${method} ${url.pathname}`) {
    case 'GET /admin/log':
      return entries.slice(Number(query.get('since') ?? 0));
    case 'GET /admin/counters':
      return { entries: entries.length, ...counters() };
    case 'POST /admin/refuse':
      mcp.refuse(query.get('path'));
      return {};
    case 'POST /admin/forget-client':
      await provider.Client.adapter.destroy(query.get('id'));
      return {};
    default:
      return undefined;
  }
}

async function serve(request, response) {
  try {
    const url = new URL(request.url, origin);
    if (url.pathname.startsWith('/admin/')) {
      const said = await admin(url, request.method);
      response.writeHead(said ? 200 : 404, { 'content-type': 'application/json' });
      response.end(JSON.stringify(said ?? {}));
      return;
    }
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const answer = await mcp.answer(request, Buffer.concat(chunks).toString());
    response.writeHead(answer.status, answer.headers).end(answer.body);
  } catch (error) {
    console.error(error);
    response.writeHead(500).end();
  }
}

const known = { issuer, origin, lifetime, client_document: CLIENT_DOCUMENT, client_key: clientKey };
writeFileSync(`${file}.new`, JSON.stringify(known, null, 2), { mode: 0o600 });
// Whoever waits for the file finds it whole.
renameSync(`${file}.new`, file);
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
