// Calls each scenario of a module in an instance of its own; prints how many there were.

import { readFileSync } from "node:fs";

const module = new WebAssembly.Module(readFileSync(process.argv[2]));
const names = WebAssembly.Module.exports(module)
  .map((one) => one.name)
  .filter((name) => name.startsWith("scenario_"));

// A module that asks for a system gets one, without files and threads.
let system = () => undefined;
if (WebAssembly.Module.imports(module).length > 0) {
  const { WASI } = await import("node:wasi");
  system = () => new WASI({ version: "preview1" });
}

// Debian's C library is older than the one that says this itself.
const EAGAIN = 6;
const env = {
  pthread_attr_init: () => 0,
  pthread_attr_setstacksize: () => 0,
  pthread_attr_destroy: () => 0,
  pthread_create: () => EAGAIN,
  pthread_join: () => unreachable(),
  pthread_detach: () => unreachable(),
};
function unreachable() {
  throw new Error("there is no thread");
}

let failed = 0;
for (const name of names) {
  try {
    const wasi = system();
    const instance = new WebAssembly.Instance(module, { env, ...wasi?.getImportObject() });
    if (wasi) wasi.initialize(instance);
    instance.exports[name]();
  } catch (error) {
    failed += 1;
    console.log(`${name}: ${error.stack}`);
  }
}
console.log(`${names.length} scenarios, ${failed} failed`);
process.exit(names.length > 0 && failed === 0 ? 0 : 1);
