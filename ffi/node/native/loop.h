/* What the addon needs of libuv, which node exports. Said here since node_api.h can be had from npm and uv.h cannot; all of it is
 * of libuv 1, whose ABI does not change. */
#ifndef THALWEG_LOOP_H
#define THALWEG_LOOP_H

#include <stddef.h>

struct uv_loop_s;
typedef struct uv_poll_s uv_poll_t;
typedef struct uv_handle_s uv_handle_t;

enum { UV_POLL = 8, UV_READABLE = 1 };

size_t uv_handle_size(int type);
void *uv_handle_get_data(const uv_handle_t *handle);
void uv_handle_set_data(uv_handle_t *handle, void *data);
int uv_poll_init(struct uv_loop_s *loop, uv_poll_t *handle, int fd);
int uv_poll_start(uv_poll_t *handle, int events, void (*callback)(uv_poll_t *handle, int status, int events));
int uv_poll_stop(uv_poll_t *handle);
void uv_close(uv_handle_t *handle, void (*callback)(uv_handle_t *handle));
void uv_ref(uv_handle_t *handle);
void uv_unref(uv_handle_t *handle);

#endif
