// Builds the addon into build/ and puts the C library beside it.
//
// The library comes from the folder that THALWEG_PREFIX names (as `thalweg install-c --prefix` filled it), or is built from the
// source tree that this folder lies in, which needs cargo. CC names a C compiler.
'use strict';

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const here = __dirname;
const root = path.join(here, '..', '..');
const build = path.join(here, 'build');

function fail(why) {
  console.error(why);
  process.exit(1);
}

function run(command, args, options) {
  const done = spawnSync(command, args, { stdio: 'inherit', ...options });
  if (done.error) fail(`cannot run ${command}: ${done.error.message}`);
  if (done.status !== 0) fail(`${command} failed`);
}

function prefix() {
  if (process.env.THALWEG_PREFIX) return path.resolve(process.env.THALWEG_PREFIX);
  if (!fs.existsSync(path.join(root, 'ffi', 'capi', 'Cargo.toml'))) {
    fail('install from the source tree of thalweg (npm install ./ffi/node), or set THALWEG_PREFIX to a folder that `thalweg install-c --prefix` filled');
  }
  const folder = path.join(build, 'prefix');
  const own = path.join(os.homedir(), '.cargo', 'bin', 'cargo');
  const cargo = spawnSync('cargo', ['--version']).error && fs.existsSync(own) ? own : 'cargo';
  run(cargo, ['run', '--release', '-p', 'thalweg-cli', '--', 'install-c', '--prefix', folder], { cwd: root });
  return folder;
}

// Where node_api.h is: beside node itself, or from npm.
function headers() {
  const beside = path.join(path.dirname(fs.realpathSync(process.execPath)), '..', 'include', 'node');
  if (fs.existsSync(path.join(beside, 'node_api.h'))) return beside;
  try {
    return require('node-api-headers').include_dir;
  } catch {
    return fail('node_api.h was not found; npm install node-api-headers');
  }
}

if (process.platform !== 'linux') fail('the event loop watches a descriptor that exists on Linux only');
fs.mkdirSync(build, { recursive: true });
const from = prefix();
const library = path.join(from, 'lib', 'libthalweg.so.1');
if (!fs.existsSync(library)) fail(`${library} is not there; THALWEG_PREFIX names a folder that \`thalweg install-c --prefix\` filled`);
const copy = path.join(build, 'libthalweg.so.1');
// Removed first: a program that runs keeps the old one whole.
fs.rmSync(copy, { force: true });
fs.copyFileSync(library, copy);

const native = path.join(here, 'native');
const sources = fs.readdirSync(native).filter((name) => name.endsWith('.c')).map((name) => path.join(native, name));
const flags = ['-std=c11', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra', '-fPIC', '-shared', '-pthread', '-fvisibility=hidden'];
const out = path.join(build, 'thalweg.node');
fs.rmSync(out, { force: true });
run(process.env.CC || 'cc', [...flags, `-I${headers()}`, `-I${path.join(from, 'include')}`, ...sources, copy, '-Wl,-rpath,$ORIGIN', '-o', out]);
