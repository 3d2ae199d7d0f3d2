// A person at a browser: opens a URL in headless Chromium, logs in and consents on the pages of oidc-provider, and looks at
// the page that this ends with.
//
//   browser.mjs <url>
//
// It can stand in for a browser (`BROWSER=tests/interop/browser`). What the person does is said in the environment:
//
//   INTEROP_CONSENT    `give` (default), `refuse` on the page of consent, or `cancel` on that of the login
//   INTEROP_USER_CODE  what is typed where a code is asked for (RFC 8628)
//   INTEROP_PAUSE      milliseconds that the person thinks before confirming a device
//   INTEROP_SHOTS      a directory: the last page goes there as NAME.png, and how it went as NAME.json
//   INTEROP_SHOT       NAME; by default a number
//   INTEROP_DARK       set: the browser prefers dark pages
//   INTEROP_URL        a file: the URL that the way ends with goes there, for a person to paste; nobody need listen there
//   CHROMIUM           the browser; default `chromium`
//
// It prints one line of JSON: where it ended (without the query, which holds a code), the title and text of that page, and
// what was done. It fails if the way does not end at the redirect URI, or at the page that says that a device is let in.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';

const PATIENCE = 20_000;
const PAGES = 12;
/** The whole visit, whatever happens. */
const LIFE = 60_000;

const [url] = process.argv.slice(2);
const wish = process.env.INTEROP_CONSENT ?? 'give';
const shots = process.env.INTEROP_SHOTS;
const issuer = new URL(url).origin;

const chromium = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  (path) => path && existsSync(path));
if (!chromium) throw new Error('no Chromium: install the package chromium, or say where it is with CHROMIUM');

const begun = Date.now();
const browser = await puppeteer.launch({
  executablePath: chromium,
  args: [
    // The user of CI is root, for whom Chromium has no sandbox.
    '--no-sandbox',
    '--disable-dev-shm-usage',
    '--disable-background-networking',
    // The pages ask for fonts elsewhere. Nothing is to leave this machine.
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
    ...(process.env.INTEROP_DARK ? ['--force-dark-mode', '--blink-settings=preferredColorScheme=0'] : []),
  ],
});
const done = [];
let failed;
let page;
let redirected;
setTimeout(async () => {
  console.error(`no end after ${LIFE / 1000} s`);
  await browser.close().catch(() => {});
  process.exit(1);
}, LIFE).unref();
try {
  page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.setViewport({ width: 900, height: 600 });
  if (process.env.INTEROP_DARK) await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
  page.on('request', (request) => {
    const away = new URL(request.url()).origin !== issuer;
    if (request.isNavigationRequest() && request.frame() === page.mainFrame() && away) redirected ??= request.url();
  });
  await page.goto(url, { waitUntil: 'load' });
  let ended = false;
  for (let pages = 0; pages < PAGES && !ended; pages += 1) ended = await step();
  if (!ended) throw new Error(`no end after ${PAGES} pages`);
} catch (error) {
  failed = error.message;
}
if (!failed && redirected && process.env.INTEROP_URL) {
  writeFileSync(process.env.INTEROP_URL, `${redirected}\n`, { mode: 0o600 });
}
const end = await outcome();
if (shots) {
  mkdirSync(shots, { recursive: true });
  const name = process.env.INTEROP_SHOT ?? `${begun}-${process.pid}`;
  await page?.screenshot({ path: join(shots, `${name}.png`) }).catch(() => {});
  writeFileSync(join(shots, `${name}.json`), JSON.stringify(end, null, 2));
}
console.log(JSON.stringify(end));
await browser.close();
process.exit(failed ? 1 : 0);

/** Does what the page wants. Whether it is the last one. */
async function step() {
  if (redirected) {
    done.push('redirect');
    return true;
  }
  const has = async (selector) => (await page.$(selector)) !== null;
  const heading = await page.$eval('h1', (it) => it.textContent).catch(() => '');
  if (/went wrong/.test(heading)) throw new Error(await page.$eval('body', (it) => it.innerText));
  if (/Sign-in Success/.test(heading)) {
    done.push('device let in');
    return true;
  }
  if (done.at(-1) === 'abort' && /interrupted/.test(await page.$eval('body', (it) => it.innerText))) return true;
  if (await has('input[name=user_code][type=text]')) {
    if (done.includes('code')) throw new Error(await page.$eval('body', (it) => it.innerText));
    const filled = await page.$eval('input[name=user_code]', (it) => it.value);
    if (!filled) await page.type('input[name=user_code]', process.env.INTEROP_USER_CODE ?? '');
    return press('code', '[type=submit]');
  }
  if (await has('#op\\.deviceConfirmForm')) {
    await new Promise((over) => setTimeout(over, Number(process.env.INTEROP_PAUSE ?? 0)));
    return wish === 'refuse' ? press('abort', 'button[name=abort]') : press('confirm', 'button[autofocus]');
  }
  if (await has('input[name=login]')) {
    if (wish === 'cancel') return press('cancel', '.login-help a');
    await page.type('input[name=login]', 'ada');
    await page.type('input[name=password]', 'any');
    return press('login', '[type=submit]');
  }
  if (await has('input[name=prompt][value=consent]')) {
    if (wish === 'refuse') return press('refuse', '.login-help a');
    return press('consent', '[type=submit]');
  }
  throw new Error(`an unknown page: ${await page.$eval('body', (it) => it.innerText)}`);
}

async function press(what, selector) {
  done.push(what);
  const there = page.waitForNavigation({ waitUntil: 'load' }).catch((error) => {
    // Where nobody listens, the browser shows its own page.
    if (!redirected) throw error;
  });
  await Promise.all([there, page.click(selector)]);
  return false;
}

async function outcome() {
  const text = await page?.$eval('body', (it) => it.innerText).catch(() => '');
  return {
    ok: !failed,
    ...(failed && { why: failed.slice(0, 400) }),
    done,
    // Neither the query nor the fragment: they hold a code.
    at: (redirected ?? page?.url() ?? '').replace(/[?#].*/, ''),
    title: await page?.title().catch(() => ''),
    text: (text ?? '').trim().slice(0, 400),
    took: Date.now() - begun,
  };
}
