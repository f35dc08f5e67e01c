// A real OpenID provider for tests: the certified `oidc-provider`, on loopback, with people whom nobody asks for a password.
//
//   CALSYNC_CLIENTS_DIR=DIR node provider.mjs '{"port":4000,"client":{…},"people":{"sub":{"email":…}},"claims":"token"}'
//
// GET /test/person/SUB says who sits before the browser from then on, and GET /test/address/SUB/EMAIL gives somebody another
// address. It never listens beyond this machine.
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(join(process.env.CALSYNC_CLIENTS_DIR, "package.json"));
const { default: Provider } = await import(pathToFileURL(require.resolve("oidc-provider")).href);

const wanted = JSON.parse(process.argv[2]);
let person = Object.keys(wanted.people)[0];

const provider = new Provider(`http://127.0.0.1:${wanted.port}`, {
  clients: [{ grant_types: ["authorization_code"], response_types: ["code"], ...wanted.client }],
  clientAuthMethods: wanted.methods,
  claims: { openid: ["sub"], email: ["email", "email_verified"] },
  // By the standard what belongs to a scope is told by userinfo; many providers put it into the ID token all the same.
  conformIdTokenClaims: wanted.claims === "userinfo",
  pkce: { required: () => true },
  cookies: { keys: ["only for tests"] },
  features: { devInteractions: { enabled: false } },
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, ...wanted.people[sub] }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  // Whoever signs in agrees.
  loadExistingGrant: async (ctx) => {
    const grant = new ctx.oidc.provider.Grant({
      clientId: ctx.oidc.client.clientId,
      accountId: ctx.oidc.session.accountId,
    });
    grant.addOIDCScope("openid email");
    await grant.save();
    return grant;
  },
});

provider.use(async (ctx, next) => {
  if (ctx.path.startsWith("/test/person/")) {
    person = decodeURIComponent(ctx.path.slice("/test/person/".length));
    ctx.body = person;
  } else if (ctx.path.startsWith("/test/address/")) {
    const [sub, email] = ctx.path.slice("/test/address/".length).split("/").map(decodeURIComponent);
    wanted.people[sub].email = ctx.body = email;
  } else if (ctx.path.startsWith("/interaction/")) {
    const result = person === "nobody" ? { error: "access_denied" } : { login: { accountId: person } };
    await provider.interactionFinished(ctx.req, ctx.res, result);
    ctx.respond = false;
  } else {
    await next();
  }
});

provider.listen(wanted.port, "127.0.0.1");
