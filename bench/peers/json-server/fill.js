// Turns notes, a JSON object a line, into json-server's file. Ids count from 1.
const time = "2020-01-01T00:00:00.000Z";
const lines = require("fs").readFileSync(0, "utf8").trimEnd().split("\n");
const notes = lines.map((line, index) => ({
  id: index + 1,
  ...JSON.parse(line),
  created_at: time,
  updated_at: time,
}));
process.stdout.write(JSON.stringify({ notes }, null, 2));
