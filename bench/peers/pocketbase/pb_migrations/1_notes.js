// The notes, open to everybody, without PocketBase's log of requests and its rate limits.
migrate((app) => {
  app.save(new Collection({
    type: "base",
    name: "notes",
    listRule: "",
    viewRule: "",
    createRule: "",
    updateRule: "",
    deleteRule: "",
    fields: [
      { name: "title", type: "text", required: true, max: 200 },
      { name: "content", type: "text", required: true, max: 1000000 },
      { name: "created_at", type: "autodate", onCreate: true },
      { name: "updated_at", type: "autodate", onCreate: true, onUpdate: true },
    ],
    // Ids are random, so that the newest are found by their time.
    indexes: ["CREATE INDEX notes_created_at ON notes (created_at)"],
  }));

  const settings = app.settings();
  settings.logs.maxDays = 0;
  settings.rateLimits.enabled = false;
  app.save(settings);

  // Without a superuser PocketBase would open a browser to make one. Nobody knows the password.
  const superuser = new Record(app.findCollectionByNameOrId("_superusers"));
  superuser.setEmail("nobody@example.com");
  superuser.setPassword($security.randomString(30));
  app.save(superuser);
});
