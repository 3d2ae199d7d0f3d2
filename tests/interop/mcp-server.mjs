// An MCP server as a protected resource (RFC 9728), on both wires: with sessions (2025-11-25) and without (2026-07-28).
// It takes no token on trust: opaque ones are asked about (RFC 7662), signed ones are verified (RFC 9068), and the audience of
// either must be the very resource.
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { calculateJwkThumbprint, createRemoteJWKSet, EmbeddedJWK, jwtVerify } from 'jose';

const STATELESS = '2026-07-28';
const STATEFUL = '2025-11-25';

const TOOLS = [
  { name: 'echo', description: 'Gives back the text.', argument: 'text' },
  { name: 'write_note', description: 'Keeps a note.', argument: 'text', scope: 'tools:write' },
];

const tool = ({ name, description, argument }) => ({
  name,
  description,
  inputSchema: { type: 'object', properties: { [argument]: { type: 'string' } }, required: [argument] },
});

export class McpServer {
  /** `resources` are the MCP endpoints; each is a resource of its own. */
  constructor(issuer, introspection, resources) {
    Object.assign(this, { issuer, introspection, resources });
    this.keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));
    this.sessions = new Set();
    this.log = [];
    /** Tokens that are taken no more, whatever the authorization server says: by their digests. */
    this.refused = new Set();
    this.seen = new Map();
    this.nonce = randomBytes(12).toString('hex');
    this.proofs = new Set();
  }

  /** From now on no token that was seen at this resource so far is taken there. */
  refuse(path) {
    for (const [digest, where] of this.seen) if (where === path) this.refused.add(digest);
  }

  async answer(request, body) {
    const { pathname } = new URL(request.url, 'http://any');
    const described = pathname.startsWith('/.well-known/oauth-protected-resource/');
    const path = described ? pathname.slice('/.well-known/oauth-protected-resource'.length) : pathname;
    const resource = this.resources.find((it) => new URL(it.url).pathname === path);
    if (!resource) return reply(404, { error: 'not_found' });
    if (described) {
      this.log.push({ path, document: true });
      return reply(200, this.metadata(resource));
    }
    const entry = { path, method: request.method, rpc: parsed(body)?.method, scheme: scheme(request) };
    const answer = await this.endpoint(resource, request, body, path);
    this.log.push({ ...entry, status: answer.status, ...(answer.why && { why: answer.why }) });
    return answer;
  }

  metadata(resource) {
    return {
      resource: resource.url,
      authorization_servers: [this.issuer],
      scopes_supported: resource.scopes,
      bearer_methods_supported: ['header'],
      resource_name: 'Interop',
      ...(resource.bound && { dpop_bound_access_tokens_required: true, dpop_signing_alg_values_supported: ['ES256'] }),
    };
  }

  async endpoint(resource, request, body, path) {
    let grant;
    try {
      grant = await this.admit(resource, request, path);
    } catch (refused) {
      return this.challenge(resource, refused);
    }
    if (request.method !== 'POST') return reply(405, '', { allow: 'POST' });
    const message = parsed(body);
    if (!message) return reply(400, failure(null, -32700, 'no JSON'));
    const wanted = message.method === 'tools/call' && TOOLS.find(({ name }) => name === message.params?.name)?.scope;
    if (wanted && !grant.scopes.includes(wanted)) {
      return this.challenge(resource, { status: 403, error: 'insufficient_scope',
        scope: [...resource.needed, wanted].join(' '), why: `${message.params.name} needs ${wanted}` });
    }
    return this.rpc(request, message, grant);
  }

  /** The grant behind the request's token, or a thrown refusal. */
  async admit(resource, request, path) {
    const [, scheme, token] = /^(\S+) +(\S+)$/.exec(request.headers.authorization ?? '') ?? [];
    const first = { status: 401, scope: resource.needed.join(' ') };
    if (!token) throw { ...first, why: 'there is no token' };
    const invalid = (why) => ({ ...first, error: 'invalid_token', why });
    if (scheme.toLowerCase() !== (resource.bound ? 'dpop' : 'bearer')) throw invalid(`the scheme is ${scheme}`);
    const digest = createHash('sha256').update(token).digest('base64url');
    this.seen.set(digest, path);
    if (this.refused.has(digest)) throw invalid('the token was withdrawn here');
    const claims = await (resource.format === 'jwt' ? this.verified(resource, token) : this.asked(token)).catch(
      (error) => { throw invalid(error.message); });
    const audiences = [claims.aud].flat();
    if (audiences.length !== 1 || audiences[0] !== resource.url) throw invalid(`the audience is ${audiences}`);
    if (claims.iss !== this.issuer) throw invalid(`the issuer is ${claims.iss}`);
    if (!(claims.exp > Date.now() / 1000)) throw invalid('the token has expired');
    if (resource.bound) await this.proven(resource, request, digest, claims.cnf?.jkt, first);
    const scopes = (claims.scope ?? '').split(' ');
    for (const scope of resource.needed) {
      if (!scopes.includes(scope)) {
        throw { status: 403, error: 'insufficient_scope', scope: resource.needed.join(' '), why: `it lacks ${scope}` };
      }
    }
    return { scopes, subject: claims.sub ?? claims.client_id, client: claims.client_id };
  }

  async verified(resource, token) {
    const { payload } = await jwtVerify(token, this.keys, {
      issuer: this.issuer, audience: resource.url, typ: 'at+jwt', requiredClaims: ['exp', 'client_id'] });
    return payload;
  }

  async asked(token) {
    const { client_id, client_secret } = this.introspection;
    const answer = await fetch(`${this.issuer}/token/introspection`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${client_id}:${client_secret}`)}` },
      body: new URLSearchParams({ token }),
    });
    const claims = await answer.json();
    if (!answer.ok) throw new Error(`introspection answers ${answer.status}`);
    if (!claims.active) throw new Error('the token is not active');
    return claims;
  }

  /** A proof of possession for this request and token (RFC 9449 §4.3), with this server's nonce. */
  async proven(resource, request, digest, thumbprint, first) {
    const wrong = (why, error = 'invalid_dpop_proof') => ({ ...first, error, why, nonce: this.nonce });
    try {
      const { payload, protectedHeader } = await jwtVerify(request.headers.dpop ?? '', EmbeddedJWK, {
        typ: 'dpop+jwt', algorithms: ['ES256'], maxTokenAge: 60, requiredClaims: ['jti'] });
      if (payload.htm !== request.method || payload.htu !== resource.url) throw new Error('another request');
      if (payload.ath !== digest) throw new Error('another token');
      if ((await calculateJwkThumbprint(protectedHeader.jwk)) !== thumbprint) throw new Error('another key');
      if (this.proofs.has(payload.jti)) throw new Error('a replay');
      if (payload.nonce !== this.nonce) throw wrong('it lacks the nonce', 'use_dpop_nonce');
      this.proofs.add(payload.jti);
    } catch (error) {
      throw error.status ? error : wrong(error.message);
    }
  }

  challenge(resource, { status, error, scope, why, nonce }) {
    const { origin, pathname } = new URL(resource.url);
    const parameters = [
      ...(resource.bound ? ['algs="ES256"'] : []),
      ...(error ? [`error="${error}"`, `error_description="${why}"`] : []),
      `scope="${scope}"`,
      `resource_metadata="${origin}/.well-known/oauth-protected-resource${pathname}"`,
    ];
    const headers = { 'www-authenticate': `${resource.bound ? 'DPoP' : 'Bearer'} ${parameters.join(', ')}` };
    if (nonce) headers['dpop-nonce'] = nonce;
    return { ...reply(status, { error: error ?? 'unauthorized', error_description: why }, headers), why };
  }

  rpc(request, message, grant) {
    if (message.id === undefined) return reply(202, '');
    const stateless = message.params?._meta?.['io.modelcontextprotocol/protocolVersion'] === STATELESS;
    const headers = {};
    if (stateless) {
      if (request.headers['mcp-protocol-version'] !== STATELESS || request.headers['mcp-method'] !== message.method) {
        return reply(400, failure(message.id, -32020, 'the header fields do not fit the message'));
      }
    } else if (message.method === 'initialize') {
      const id = randomUUID();
      this.sessions.add(id);
      headers['mcp-session-id'] = id;
    } else if (!this.sessions.has(request.headers['mcp-session-id'])) {
      return reply(request.headers['mcp-session-id'] ? 404 : 400, failure(message.id, -32600, 'no session'));
    }
    const result = this.result(message, grant, stateless);
    const answer = result.code ? failure(message.id, result.code, result.message)
      : { jsonrpc: '2.0', id: message.id, result };
    // Both forms of an answer are seen: calls are answered with a stream.
    return message.method === 'tools/call' ? stream(answer, headers) : reply(200, answer, headers);
  }

  result({ method, params }, grant, stateless) {
    const complete = stateless ? { resultType: 'complete' } : {};
    switch (method) {
      case 'initialize':
        return { protocolVersion: STATEFUL, capabilities: { tools: {} }, serverInfo: { name: 'interop', version: '1' } };
      case 'server/discover':
        return { ...complete, supportedVersions: [STATELESS, STATEFUL], capabilities: { tools: {} },
          serverInfo: { name: 'interop', version: '1' }, ...caching };
      case 'ping':
        return complete;
      case 'tools/list':
        return { ...complete, tools: TOOLS.map(tool), ...(stateless && caching) };
      case 'tools/call': {
        if (!TOOLS.some(({ name }) => name === params?.name)) return { code: -32602, message: 'unknown tool' };
        const text = `${params.arguments?.text ?? ''} (${grant.subject})`;
        return { ...complete, content: [{ type: 'text', text }] };
      }
      default:
        return { code: -32601, message: `no method ${method}` };
    }
  }
}

const caching = { ttlMs: 0, cacheScope: 'private' };

const failure = (id, code, message) => ({ jsonrpc: '2.0', id, error: { code, message } });

const reply = (status, body, headers = {}) => ({
  status,
  headers: { ...(body && { 'content-type': 'application/json' }), ...headers },
  body: body ? JSON.stringify(body) : '',
});

const stream = (message, headers) => ({
  status: 200,
  headers: { 'content-type': 'text/event-stream', ...headers },
  body: `event: message\ndata: ${JSON.stringify(message)}\n\n`,
});

const scheme = (request) => request.headers.authorization?.split(' ')[0] ?? null;

function parsed(body) {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
