// What Go calls instead of the C library itself: texts as Go has them, and numbers in the place of pointers, since Go may not see a
// pointer that is none.

#ifndef THALWEG_GO_NATIVE_H
#define THALWEG_GO_NATIVE_H

#include <stdint.h>
#include <stdlib.h>
#include <thalweg.h>

// In tool.go.
extern int32_t thalwegInvoke(uintptr_t tool, thw_str *id, thw_str *arguments, thw_sink *sink, thw_cancel *cancel);
extern void thalwegDrop(uintptr_t tool);
extern void thalwegCancelled(uintptr_t call);

static thw_status go_invoke(void *context, const thw_str *id, const thw_str *arguments, thw_sink *sink, thw_cancel *cancel,
                            thw_error *error) {
  (void)error;
  return thalwegInvoke((uintptr_t)context, (thw_str *)id, (thw_str *)arguments, sink, cancel);
}

static void go_drop(void *context) { thalwegDrop((uintptr_t)context); }

static void go_cancelled(void *user) { thalwegCancelled((uintptr_t)user); }

static inline void go_set_tool(thw_host_tool *tool, uint32_t flags, thw_str name, thw_str description, thw_str parameters,
                               uintptr_t context) {
  *tool = (thw_host_tool){ sizeof *tool, flags, name, description, parameters, go_invoke, (void *)context, go_drop };
}

static inline void go_set_hook(thw_host_hook *hook, uint32_t point, uintptr_t context) {
  *hook = (thw_host_hook){ sizeof *hook, point, go_invoke, (void *)context, go_drop };
}

static inline void go_set_provider(thw_host_provider *provider, thw_str name, uintptr_t context) {
  *provider = (thw_host_provider){ sizeof *provider, 0, name, go_invoke, (void *)context, go_drop };
}

static inline void go_cancel_on(thw_cancel *cancel, uintptr_t call) { thw_cancel_on(cancel, go_cancelled, (void *)call); }

static inline thw_status go_run_drain(thw_run *run, uintptr_t id, thw_error *error) {
  return thw_run_drain(run, (void *)id, error);
}

// The layout that event.go reads.
_Static_assert(sizeof(thw_event) == 64 && offsetof(thw_event, text) == 16 && offsetof(thw_event, aux) == 32 &&
                   offsetof(thw_event, num) == 48 && offsetof(thw_event, seq) == 56,
               "thw_event is laid out otherwise");
_Static_assert(sizeof(thw_batch) == 32 && offsetof(thw_batch, events) == 8 && offsetof(thw_batch, count) == 16 &&
                   offsetof(thw_batch, status) == 24,
               "thw_batch is laid out otherwise");

#endif
