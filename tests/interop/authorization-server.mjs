// oidc-provider as the authorization server of the MCP server: its own pages for login and consent, and its own judgement
// of everything. What is configured here is what somebody who protects an MCP server with it has to configure.
import { exportJWK, generateKeyPair } from 'jose';
import { Provider, errors } from 'oidc-provider';

/** Where clients publish their metadata document; nothing is fetched from there, the document stands below. */
export const CLIENT_DOCUMENT = 'https://client.example/mcp-auth.json';

/** The redirect URI of clients that were registered by hand. Their port does not count (RFC 8252 §7.3). */
const REDIRECT = 'http://127.0.0.1/callback';

/** The secret with which the MCP server asks whether a token is active. */
export const RESOURCE_SERVER = { client_id: 'mcp-server', client_secret: 'secret-of-the-mcp-server' };

const person = (client) => ({
  application_type: 'native',
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  redirect_uris: [REDIRECT],
  ...client,
});

const service = (client) => ({
  grant_types: ['client_credentials'],
  response_types: [],
  redirect_uris: [],
  ...client,
});

/** Clients that were registered by hand. `key` is the public half of the key with which two of them authenticate. */
const clients = (key) => [
  { ...RESOURCE_SERVER, grant_types: [], response_types: [], redirect_uris: [] },
  person({ client_id: 'with-secret', client_secret: 'secret-of-a-client', client_name: 'Interop with a secret' }),
  person({
    client_id: 'with-key',
    client_name: 'Interop with a key',
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    jwks: { keys: [key] },
  }),
  person({ client_id: 'public', client_name: 'Interop without secret', token_endpoint_auth_method: 'none' }),
  service({ client_id: 'service-with-secret', client_secret: 'secret-of-a-service' }),
  service({
    client_id: 'service-with-key',
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    jwks: { keys: [key] },
  }),
];

/**
 * The provider, what it has done (one entry for each request but those of the MCP server), and the private key of the clients
 * that sign.
 */
export async function authorizationServer(issuer, resources) {
  const keys = await generateKeyPair('ES256', { extractable: true });
  const signing = await generateKeyPair('RS256', { extractable: true });
  const clientKey = { ...(await exportJWK(keys.publicKey)), kid: 'interop', alg: 'ES256', use: 'sig' };

  const configuration = {
    clients: clients(clientKey),
    clockTolerance: 0,
    cookies: { keys: ['a key of cookies that only this run knows'] },
    features: {
      clientCredentials: { enabled: true },
      clientIdMetadataDocument: { enabled: true, ack: 'draft-02' },
      deviceFlow: { enabled: true },
      dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 7), requireNonce: () => true },
      introspection: { enabled: true },
      registration: { enabled: true },
      resourceIndicators: {
        enabled: true,
        // A request that names no resource gets no token for one: audience restriction is on (RFC 8707 §2).
        getResourceServerInfo(ctx, indicator) {
          const resource = resources.find((it) => it.url === indicator);
          if (!resource) throw new errors.InvalidTarget(`unknown resource ${indicator}`);
          return {
            scope: resource.scopes.join(' '),
            audience: resource.url,
            accessTokenTTL: resource.lifetime,
            accessTokenFormat: resource.format,
            ...(resource.format === 'jwt' && { jwt: { sign: { alg: 'RS256' } } }),
          };
        },
      },
      revocation: { enabled: true },
    },
    fetch: async (url, options) =>
      String(url) === CLIENT_DOCUMENT
        ? Response.json({ client_id: CLIENT_DOCUMENT, token_endpoint_auth_method: 'none',
          ...person({ client_name: 'Interop by its document' }) })
        : Promise.reject(new Error('nothing outside this machine is fetched')),
    findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    // The default gives a refresh token for `offline_access` only. One resource keeps to that.
    issueRefreshToken: (ctx, client, source) =>
      client.grantTypeAllowed('refresh_token')
        && (source.scopes.has('offline_access') || !resources.find((it) => it.url === source.resource)?.offline),
    expiresWithSession: () => false,
    jwks: { keys: [{ ...(await exportJWK(signing.privateKey)), kid: 'signing', alg: 'RS256', use: 'sig' }] },
    pkce: { required: () => true },
    // By default a refresh token is rotated if nothing else binds it to its client: that of a public client is, that of a client
    // with a secret, a key or a proof comes again.
    // Scopes of resources are named here only if clients may register for them; `tools:unlisted` is not.
    scopes: ['openid', 'offline_access', 'tools:read', 'tools:write'],
    ttl: { AccessToken: (ctx, token) => token.resourceServer?.accessTokenTTL ?? 3600, ClientCredentials:
      (ctx, token) => token.resourceServer?.accessTokenTTL ?? 600 },
  };

  const provider = new Provider(issuer, configuration);
  provider.proxy = false;
  const log = [];
  const quiet = new Set(['jwks', 'introspection']);
  provider.use(async (ctx, next) => {
    await next();
    const oidc = ctx.oidc;
    const route = oidc?.route ?? ctx.path;
    if (quiet.has(route)) return;
    log.push({
      route,
      method: ctx.method,
      status: ctx.status,
      client: oidc?.entities?.Client?.clientId ?? oidc?.params?.client_id,
      // Which ways the client used, and no value of a secret.
      grant: oidc?.params?.grant_type,
      scope: oidc?.params?.scope ?? (route === 'registration' ? oidc?.body?.scope ?? null : undefined),
      resource: oidc?.params?.resource,
      prompt: route === 'submit' ? oidc?.body?.prompt : undefined,
      authentication: authentication(ctx),
      pkce: oidc?.params?.code_challenge_method,
      pushed: route === 'authorization' ? ctx.query.request_uri !== undefined : undefined,
      proof: ctx.get('dpop') !== '',
      error: ctx.status >= 400 ? ctx.body?.error : undefined,
      why: ctx.status >= 400 ? ctx.body?.error_description : undefined,
    });
  });
  for (const event of ['grant.revoked', 'server_error', 'authorization.error', 'grant.error', 'registration_create.error']) {
    provider.on(event, (ctx, error) => {
      const why = error instanceof Error ? `${error.message}: ${error.error_detail ?? error.stack ?? ''}` : '';
      log.push({ event, ...(why && { why: why.slice(0, 300) }) });
    });
  }
  return { provider, log, clientKey: { ...(await exportJWK(keys.privateKey)), kid: 'interop', alg: 'ES256' } };
}

function authentication(ctx) {
  const body = ctx.oidc?.body ?? {};
  if (ctx.get('authorization').startsWith('Basic ')) return 'client_secret_basic';
  if (body.client_assertion) return 'private_key_jwt';
  if (body.client_secret) return 'client_secret_post';
  return body.client_id ? 'none' : undefined;
}
