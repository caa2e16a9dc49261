
// What a JSON string says, in memory of the engine that `give_back` takes; `text.ptr` is NULL if it is no string.
typedef struct plain {
  uint8_t *text;
  size_t len;
} plain;

static plain unescape(const thw_str *string) {
  plain p = { NULL, 0 };
  if (JSON->unescape(string, NULL, 0, &p.len) != THW_OK) return p;
  p.text = SERVICES->alloc(HOST, p.len + 1, 1); // Memory of no bytes is NULL.
  if (p.text != NULL) (void)JSON->unescape(string, p.text, p.len, &p.len);
  return p;
}

static void give_back(plain p) {
  SERVICES->dealloc(HOST, p.text, p.len + 1, 1);
}
