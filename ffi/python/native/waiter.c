/* Waiter: the future of a task that waits in an asynchronous iterator of ours, and the steps of an object that is its own
 * awaitable.
 */
#include "native.h"

static PyObject *create_future, *set_result, *done, *blocking;

PyObject *waiter_new(PyObject **waiter, PyObject *loop) {
    if (*waiter != NULL) {
        PyObject *is_done = PyObject_CallMethodObjArgs(*waiter, done, NULL);
        if (is_done == NULL) return NULL;
        bool is_free = is_done == Py_True;
        Py_DECREF(is_done);
        if (!is_free) {
            PyErr_SetString(PyExc_RuntimeError, "another task waits in this iterator; give each task its own");
            return NULL;
        }
        Py_CLEAR(*waiter);
    }
    PyObject *future = PyObject_CallMethodObjArgs(loop, create_future, NULL);
    if (future == NULL) return NULL;
    /* As `Future.__await__` does it: tells the task that this is what it waits for. */
    if (PyObject_SetAttr(future, blocking, Py_True) < 0) {
        Py_DECREF(future);
        return NULL;
    }
    Py_INCREF(future);
    *waiter = future;
    return future;
}

bool waiter_wake(PyObject *waiter) {
    if (waiter == NULL) return true;
    /* What it brings about may let go of it. */
    Py_INCREF(waiter);
    PyObject *is_done = PyObject_CallMethodObjArgs(waiter, done, NULL), *result = NULL;
    if (is_done == Py_False) {
        result = PyObject_CallMethodObjArgs(waiter, set_result, Py_None, NULL);
    } else if (is_done != NULL) {
        Py_INCREF(Py_None);
        result = Py_None;
    }
    bool is_well = result != NULL;
    Py_XDECREF(is_done);
    Py_XDECREF(result);
    Py_DECREF(waiter);
    return is_well;
}

/* The value of an awaitable travels in a StopIteration. */
PyObject *step_next(Step step, PyObject *out) {
    switch (step) {
    case STEP_ITEM: {
        PyObject *stop = PyObject_CallFunctionObjArgs(PyExc_StopIteration, out, NULL);
        Py_DECREF(out);
        if (stop != NULL) PyErr_SetObject(PyExc_StopIteration, stop);
        Py_XDECREF(stop);
        return NULL;
    }
    case STEP_WAIT: return out;
    case STEP_END: PyErr_SetNone(PyExc_StopAsyncIteration); return NULL;
    default: return NULL;
    }
}

#if PY_VERSION_HEX >= 0x030A0000
PySendResult step_send(Step step) {
    switch (step) {
    case STEP_ITEM: return PYGEN_RETURN;
    case STEP_WAIT: return PYGEN_NEXT;
    case STEP_END: PyErr_SetNone(PyExc_StopAsyncIteration); return PYGEN_ERROR;
    default: return PYGEN_ERROR;
    }
}
#endif

bool waiter_init(void) {
    create_future = PyUnicode_InternFromString("create_future");
    set_result = PyUnicode_InternFromString("set_result");
    done = PyUnicode_InternFromString("done");
    blocking = PyUnicode_InternFromString("_asyncio_future_blocking");
    return create_future != NULL && set_result != NULL && done != NULL && blocking != NULL;
}
