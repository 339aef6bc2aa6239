// One call for each line of JSON on stdin, made with the official SDK; what a program sees of it, as a line of JSON.
// {"name": "create", "body": {…}, "options": {…}, "client": {…}}
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const OpenAI = createRequire(`${process.env.NODE_SDK}/`)("openai");
let answers = [];

async function watched(url, init) {
  const response = await fetch(url, init);
  answers.push({ status: response.status, at: Date.now(), retryAfter: response.headers.get("retry-after") });
  return response;
}

const names = {
  async create(client, body, options) {
    const { data, request_id } = await client.chat.completions.create(body, options).withResponse();
    return { data, id: data._request_id, request_id };
  },
  async raw(client, body, options) {
    const response = await client.chat.completions.create(body, options).asResponse();
    return Object.fromEntries(response.headers.entries());
  },
  async stream(client, body, options) {
    const chunks = [];
    try {
      for await (const chunk of await client.chat.completions.create({ ...body, stream: true }, options)) chunks.push(chunk);
    } catch (error) {
      return { chunks, error: told(error) };
    }
    return { chunks };
  },
  async helper(client, body, options) {
    const stream = client.chat.completions.stream(body, options);
    const deltas = [];
    stream.on("content", (delta) => deltas.push(delta));
    return { final: await stream.finalChatCompletion(), deltas };
  },
  async leave(client, body, options) {
    const stream = await client.chat.completions.create({ ...body, stream: true }, options);
    for await (const chunk of stream) if (chunk.choices[0]?.delta?.content) break;
    return stream.controller.signal.aborted;
  },
  async models(client) {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    return { ids, one: await client.models.retrieve(ids[0]) };
  },
  nothing: (client) => client.post("/nothing"),
  wrongVerb: (client) => client.delete("/models"),
};

function told(error) {
  const { status, code, param, type, message, requestID } = error;
  return { kind: error.constructor.name, status, code, param, type, message, requestID, api: error instanceof OpenAI.APIError };
}

for await (const line of createInterface({ input: process.stdin })) {
  const { name, body, options, client } = JSON.parse(line);
  const given = { baseURL: process.env.BASE_URL, apiKey: process.env.KEY, fetch: watched, ...client };
  answers = [];
  let seen;
  try {
    seen = { value: await names[name](new OpenAI(given), body, options) };
  } catch (error) {
    seen = { error: told(error) };
  }
  console.log(JSON.stringify({ ...seen, answers }));
}
