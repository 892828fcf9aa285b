// json-server stores bodies as they come: here they are checked, and the times are set.
module.exports = (request, response, next) => {
  const creates = request.method === "POST";
  if (!creates && request.method !== "PATCH") return next();

  const { title, content } = request.body;
  const isText = (value) => typeof value === "string" || (!creates && value === undefined);
  if (!isText(title) || !isText(content) || title === "" || title?.length > 200) {
    return response.status(400).json({ error: "a note has a title and a content" });
  }
  request.body.updated_at = new Date().toISOString();
  if (creates) request.body.created_at = request.body.updated_at;
  next();
};
