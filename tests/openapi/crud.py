"""A round of reading and writing with the client that OpenAPI Generator makes for Python."""

import sys

import openapi_client
from openapi_client.rest import ApiException

configuration = openapi_client.Configuration(host=sys.argv[1])
with openapi_client.ApiClient(configuration) as client:
    notes = openapi_client.NotesApi(client)
    made = notes.create_note(openapi_client.NewNote(title="Milk", content="Two litres"))
    assert made.title == "Milk", made
    read = notes.get_note_with_http_info(made.id)
    etag = read.headers["etag"]
    assert read.data.content == "Two litres", read
    patch = openapi_client.NotePatch(title="Bread")
    changed = notes.update_note(made.id, patch, if_match=etag)
    assert changed.title == "Bread", changed
    try:
        notes.update_note(made.id, patch, if_match=etag)
        raise SystemExit("a lost update")
    except ApiException as stale:
        assert stale.status == 412, stale
    found = notes.list_notes(q="bread", sort=["-id"])
    assert found.notes[0].id == made.id, found
    notes.delete_note(made.id)
    try:
        notes.get_note(made.id)
        raise SystemExit("it is still there")
    except ApiException as gone:
        assert gone.status == 404 and gone.data.error == "Resource not found", gone
