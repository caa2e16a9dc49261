#include <stdio.h>
#include <thalweg.h>

int main(int argc, char **argv) {
  const char *options = argc > 1 ? argv[1] : "{\"model\": \"openai/gpt-4o-mini\"}"; // the key comes from OPENAI_API_KEY
  thw_error error = THW_ERROR_INIT;
  thw_engine *engine = thw_engine_new(NULL, 0, &error);
  thw_agent *agent = thw_agent_new(engine, options, THW_NUL, NULL, &error);
  thw_run *run = thw_agent_prompt(agent, "Why is the sky blue?", THW_NUL, NULL, &error);
  thw_reader *reader = thw_run_reader(run, &error); // any number of them, each from the beginning
  const thw_event *event;
  for (size_t count; thw_reader_next(reader, THW_FOREVER, &event, &count, &error) == THW_OK;)
    for (; count > 0; count--, event++)
      if (event->kind == THW_EVENT_TEXT) fwrite(event->text.ptr, 1, event->text.len, stdout);
  if (thw_run_wait(run, THW_FOREVER, &error) < 0) fprintf(stderr, "%s\n", (const char *)error.message);
  thw_reader_free(reader), thw_run_free(run), thw_agent_free(agent), thw_engine_free(engine);
  return error.code < 0;
}
