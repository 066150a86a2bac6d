// Node's fetch: node fetch.mjs SCENARIO URL COUNT [MOST].
const [scenario, url, given, most] = process.argv.slice(2);
const count = Number(given), text = "ask ".repeat(34);
let check = 0;

async function ask(method, body) {
  const reply = await fetch(url + "/external/conversations/c-1/messages", {
    method, body: body && JSON.stringify(body),
    headers: { "Agent-Secret-Key": "secret", "Content-Type": "application/json" },
  });
  if (reply.status !== 200) throw new Error(reply.status);
  return reply.json();
}

async function send() {
  const answer = await ask("POST", { message: text });
  check += answer.message.length;
}

// So many that take turns.
async function atOnce(workers) {
  let begun = 0;
  await Promise.all(Array.from({ length: workers }, async () => {
    while (begun < count) {
      begun++;
      await send();
    }
  }));
}

if (scenario === "send") {
  for (let i = 0; i < count; i++) await send();
} else if (scenario === "history") {
  for (let i = 0; i < count; i++) {
    const { messages } = await ask("GET");
    check += messages.length + messages[messages.length - 1].message.length;
  }
} else if (scenario === "flight") {
  await atOnce(Math.min(count, Number(most ?? count)));
} else {
  throw new Error("no such scenario");
}
console.log(check);
process.exit(0); // and don't keep connections
