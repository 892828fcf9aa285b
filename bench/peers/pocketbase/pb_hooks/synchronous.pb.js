// PocketBase opens its databases with synchronous = NORMAL and has no setting for it. All
// writes go through one connection, so that a hook can set the pragma there. An idle
// connection is closed after three minutes, therefore the pragma is set anew each minute.
if ($os.getenv("BENCH_SYNCHRONOUS") === "FULL") {
  onBootstrap((e) => {
    e.next();
    e.app.nonconcurrentDB().newQuery("PRAGMA synchronous = FULL").execute();
  });
  cronAdd("synchronous", "* * * * *", () => {
    $app.nonconcurrentDB().newQuery("PRAGMA synchronous = FULL").execute();
  });
}
