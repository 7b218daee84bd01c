// Calls each scenario of a module in an instance of its own; prints how many there were.

import { readFileSync } from "node:fs";

const module = new WebAssembly.Module(readFileSync(process.argv[2]));
const names = WebAssembly.Module.exports(module)
  .map((one) => one.name)
  .filter((name) => name.startsWith("scenario_"));
let failed = 0;
for (const name of names) {
  try {
    new WebAssembly.Instance(module, {}).exports[name]();
  } catch (error) {
    failed += 1;
    console.log(`${name}: ${error.stack}`);
  }
}
console.log(`${names.length} scenarios without threads or a clock, ${failed} failed`);
process.exit(names.length > 0 && failed === 0 ? 0 : 1);
