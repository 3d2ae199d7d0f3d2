// Runs one scenario of the suite and judges it: by the exit code of the suite and by the checks it wrote.
// Usage: one.mjs <scenario> <spec version, or default> <client command> <empty directory for the results> [suite option]...
import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';

const [scenario, version, command, results, ...options] = process.argv.slice(2);
const wire = version === 'default' ? [] : ['--spec-version', version];
const here = dirname(fileURLToPath(import.meta.url));
const suite = join(here, 'node_modules/@modelcontextprotocol/conformance/dist/index.js');

// The client gives up by itself after 55 seconds and says why. The suite must not end it before that.
const limit = ['--timeout', '60000'];

mkdirSync(results, { recursive: true });
const began = performance.now();
const run = spawnSync(
  process.execPath,
  [suite, 'client', '--command', command, '--scenario', scenario, ...wire, '-o', results, ...limit, ...options],
  { encoding: 'utf8', maxBuffer: 1 << 28 },
);
const milliseconds = Math.round(performance.now() - began);
const log = stripVTControlCharacters(`${run.stdout ?? ''}${run.stderr ?? ''}`);
writeFileSync(join(results, 'suite.log'), log);

const written = (name) => globSync(`**/${name}`, { cwd: results }).map((path) => readFileSync(join(results, path), 'utf8'));
const reports = written('checks.json').map((text) => JSON.parse(text));
const checks = reports.flat().filter((check) => check.status !== 'INFO');
const bad = checks.filter((check) => check.status !== 'SUCCESS');
const skipped = log.split('\n').filter((line) => line.startsWith('SKIPPED'));

const faults = bad.map((check) => {
  const why = check.errorMessage ?? check.details?.message ?? check.description ?? check.name;
  return `${check.status} ${check.id}: ${why}`;
});
faults.push(...skipped);
if (run.error) faults.push(`the suite did not run: ${run.error.message}`);
if (reports.length !== 1) faults.push(`the suite wrote ${reports.length} reports, not 1`);
else if (checks.length === 0) faults.push('the suite judged nothing');
if (run.status !== 0) {
  const said = log.split('\n').filter((line) => /CLIENT (EXITED|TIMED)/.test(line)).map((line) => line.trim());
  faults.push(`the suite ended with ${run.status ?? run.signal}`, ...said);
}

const stderr = written('stderr.txt').join('').trim();
if (faults.length > 0 && stderr) faults.push(...stderr.split('\n').map((line) => `stderr: ${line}`));
const verdict = faults.length === 0 ? 'pass' : 'FAIL';
writeFileSync(join(results, 'faults'), faults.map((line) => `${line}\n`).join(''));
// Last, because its existence says that the rest is complete.
writeFileSync(join(results, 'verdict'), `${verdict} ${checks.length} ${milliseconds}\n`);
