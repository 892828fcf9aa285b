"""What a schema cannot say, and a client of the API knows: keys of records that are there.

A reference of another record is 400 where that record is not there, so that valid data refers to
records that are. A cursor is a text that only the server can make."""

import json
import os
import urllib.error
import urllib.request
import uuid

import schemathesis

BASE = os.environ["CARAFE_URL"]
JSON = {"Content-Type": "application/json"}


def fetch(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data=data, headers=JSON)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.load(reply)
    except urllib.error.HTTPError:
        return None


DOCUMENT = fetch("/api/openapi.json")
SCHEMAS = DOCUMENT["components"]["schemas"]


def resolve(schema):
    while "$ref" in schema:
        schema = SCHEMAS[schema["$ref"].rsplit("/", 1)[1]]
    return schema


def collection(resource):
    """The address of a resource that is under no other."""
    for path, item in DOCUMENT["paths"].items():
        operation = item.get("get", {}).get("operationId", "")
        if operation.startswith("list_") and path.endswith("/" + resource) and "{" not in path:
            return path, item
    return None, None


def key_of(resource):
    """The key of some record of a resource; one is made where there is none."""
    path, item = collection(resource)
    if path is None:
        return None
    key = None
    for operation in DOCUMENT["paths"]:
        if operation.startswith(path + "/{") and operation.count("/") == path.count("/") + 1:
            key = operation.rsplit("{", 1)[1].rstrip("}")
    found = fetch(path)
    records = found if isinstance(found, list) else found[resource]
    if records:
        return records[0][key]
    body = item["post"]["requestBody"]["content"]["application/json"]["schema"]
    made = fetch(path, resolve(body)["examples"][0])
    return made and made.get(key)


def mend(schema, value):
    """`value` with references that lead somewhere."""
    schema = resolve(schema)
    if "x-reference" in schema and value is not None:
        return key_of(schema["x-reference"])
    for one in schema.get("anyOf", []):
        if isinstance(value, dict) and "properties" in resolve(one):
            value = mend(one, value)
    properties = schema.get("properties", {})
    if isinstance(value, dict):
        return {
            name: mend(properties[name], member) if name in properties else member
            for name, member in value.items()
        }
    return value


def mend_operation(schema, operation):
    """An operation of a JSON Patch, with a reference that leads somewhere."""
    for one in schema.get("items", {}).get("anyOf", []):
        properties = one.get("properties", {})
        path = properties.get("path", {}).get("const")
        if isinstance(operation, dict) and operation.get("path") == path and "value" in operation:
            if "x-reference" in properties.get("value", {}):
                return {**operation, "value": mend(properties["value"], operation["value"])}
    return operation


def mend_patch(schema, operations):
    """A JSON Patch each of whose operations is possible whatever those before it did. Which members
    a document has, only its reader knows."""
    if "const" not in json.dumps(schema):
        return []
    paths, kept = set(), []
    for operation in operations:
        path = operation.get("path") if isinstance(operation, dict) else None
        if path not in paths:
            paths.add(path)
            kept.append(mend_operation(schema, operation))
    return kept


def mend_body(case, raw):
    content = raw.get("requestBody", {}).get("content", {})
    if case.media_type not in content or case.body is None:
        return
    schema = resolve(content[case.media_type]["schema"])
    if case.query and "deleted" in case.query:
        # A deleted record can only be restored.
        case.body = {"deleted_at": None}
    elif case.media_type == "application/json-patch+json" and isinstance(case.body, list):
        case.body = mend_patch(schema, case.body)
    else:
        case.body = mend(schema, case.body)


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta and case.meta.phase.name.value == "stateful" and case.query:
        # A walk that deletes a record asks afterwards whether it is gone, not for what is deleted.
        if case.query.get("deleted") == "only":
            del case.query["deleted"]
    mode = case.meta.generation.mode if case.meta else None
    if mode is None or not mode.is_positive:
        return
    sort = case.query.get("sort") if case.query else None
    if sort:
        # No field is sorted by twice, be it up or down.
        steps = sort.split(",") if isinstance(sort, str) else sort
        kept = list({str(step).lstrip("-"): str(step) for step in steps}.values())
        case.query["sort"] = ",".join(kept) if isinstance(sort, str) else kept
    if case.query and "cursor" in case.query:
        del case.query["cursor"]
    if case.headers and "Idempotency-Key" in case.headers:
        # Each request has one of its own.
        case.headers["Idempotency-Key"] = f'"{uuid.uuid4()}"'
    mend_body(case, case.operation.definition.raw)
