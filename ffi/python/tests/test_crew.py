"""The crew: promises, sequences, messages and agents, as MiniAgents has them."""

import asyncio
import copy
import gc
import logging
import pathlib
import pickle
import tempfile
import threading
import unittest
import warnings
import weakref

from thalweg.crew import (
    Crew,
    ErrorMessage,
    Frozen,
    Message,
    MessageSequence,
    MessageTokenAppender,
    MiniAgents,
    StrictMessage,
    TextMessage,
    TextToken,
    agent,
    miniagent,
)
from thalweg.crew.errors import AppenderClosedError, AppenderNotOpenError, NoActiveContextError, WrongActiveContextError
from thalweg.crew.ext import (
    AWAIT,
    CLEAR,
    MarkdownHistoryAgent,
    agent_chain,
    agent_loop,
    dialog_loop,
    file_output_agent,
    in_memory_history_agent,
    user_agent,
)
from thalweg.crew.promising import Promise, PromisingContext, StreamAppender, StreamedPromise


class CrewCase(unittest.IsolatedAsyncioTestCase):
    """Each test runs in a context of its own."""

    async def asyncSetUp(self):
        logging.disable()
        self.context = MiniAgents()
        self.context.activate()

    async def asyncTearDown(self):
        # Another task of the test case than the one that activated it, with a copy of its variables.
        await self.context.aflush_tasks()
        logging.disable(logging.NOTSET)


async def pieces(stream):
    """All that an iterator gives, errors as their text, and more behind them."""
    seen, iterator = [], stream.__aiter__()
    while True:
        try:
            seen.append(str(await iterator.__anext__()))
        except StopAsyncIteration:
            return seen
        except Exception as error:
            seen.append(f"!{error}")


async def texts(sequence):
    """The messages of a sequence, errors as their text."""
    seen, iterator = [], sequence.__aiter__()
    while True:
        try:
            seen.append(str(await (await iterator.__anext__())))
        except StopAsyncIteration:
            return seen
        except Exception as error:
            seen.append(f"!{error}")


class Promises(CrewCase):
    async def test_value_is_made_once_and_is_the_same_for_all(self):
        made = []

        async def resolver(_):
            made.append(object())
            await asyncio.sleep(0)
            return made[-1]

        for soon in (True, False):
            promise = Promise(resolver=resolver, start_soon=soon)
            first, second = await asyncio.gather(promise, promise)
            self.assertIs(first, second)
            self.assertIs(await promise, first)
        self.assertEqual(len(made), 2)

    async def test_lazy_promise_runs_only_when_it_is_awaited(self):
        ran = []

        async def resolver(_):
            ran.append(1)

        lazy = Promise(resolver=resolver, start_soon=False)
        Promise(resolver=resolver, start_soon=True)
        await asyncio.sleep(0.01)
        self.assertEqual(len(ran), 1)
        await lazy
        self.assertEqual(len(ran), 2)

    async def test_error_is_the_same_instance_for_all(self):
        async def resolver(_):
            raise ValueError("no")

        promise = Promise(resolver=resolver)
        errors = []
        for _ in range(2):
            try:
                await promise
            except ValueError as error:
                errors.append(error)
        self.assertIs(errors[0], errors[1])

    async def test_pieces_replay_without_being_made_again(self):
        runs = []

        async def streamer(_):
            runs.append(1)
            for piece in range(5):
                await asyncio.sleep(0)
                yield piece

        async def resolver(promise):
            return [piece async for piece in promise]

        for soon in (True, False):
            promise = StreamedPromise(streamer=streamer, resolver=resolver, start_soon=soon)
            both = await asyncio.gather(pieces(promise), pieces(promise))
            self.assertEqual(both, [["0", "1", "2", "3", "4"]] * 2)
            self.assertEqual(await promise, [0, 1, 2, 3, 4])
            self.assertEqual(await pieces(promise), ["0", "1", "2", "3", "4"])
        self.assertEqual(len(runs), 2)

    async def test_error_among_pieces_is_replayed_at_its_place(self):
        with StreamAppender(capture_errors=True) as appender:
            promise = StreamedPromise(streamer=appender, resolver=lambda p: p.__aiter__().__anext__())
            appender.append("a").append(KeyError("k")).append("b")
            raise ValueError("end")
        for _ in range(2):
            self.assertEqual(await pieces(promise), ["a", "!'k'", "b", "!end"])

    async def test_broken_streamer_and_resolver_hang_nobody(self):
        promise = StreamedPromise(streamer=lambda _: 7, resolver=lambda _: 8)
        seen = await pieces(promise)
        self.assertEqual(len(seen), 1)
        self.assertTrue(seen[0].startswith("!"))
        errors = []
        for _ in range(2):
            try:
                await promise
            except TypeError as error:
                errors.append(error)
        self.assertIs(errors[0], errors[1])

    async def test_appender_keeps_its_order_of_calls(self):
        appender = StreamAppender(capture_errors=False)
        with self.assertRaises(AppenderNotOpenError):
            appender.append(1)
        with self.assertRaisesRegex(ValueError, "out"):
            with appender:
                appender.append(1)
                raise ValueError("out")
        with self.assertRaises(AppenderClosedError):
            appender.append(2)
        with self.assertRaises(AppenderClosedError):
            appender.open()
        self.assertEqual(await pieces(appender), ["1"])

    async def test_who_is_cancelled_while_waiting_takes_nobody_along(self):
        go = asyncio.Event()

        async def resolver(_):
            await go.wait()
            return 1

        promise = Promise(resolver=resolver)
        impatient = asyncio.ensure_future(promise.aresolve())
        await asyncio.sleep(0)
        impatient.cancel()
        go.set()
        self.assertEqual(await promise, 1)

    async def test_handlers_are_told_of_each_value(self):
        told = []

        async def handler(_, value):
            told.append(value)

        self.context.on_promise_resolved(handler)
        with self.assertRaises(ValueError):
            self.context.on_promise_resolved(lambda *_: None)

        async def resolver(_):
            return 5

        await Promise(resolver=resolver)
        Promise(prefill_result=6)
        await self.context.aflush_tasks()
        self.assertEqual(told, [5, 6])

    async def test_pieces_of_another_thread_arrive(self):
        with MessageTokenAppender() as appender:
            promise = TextMessage.promise(message_token_streamer=appender)
            reading = asyncio.ensure_future(pieces(promise))
            await asyncio.sleep(0.01)
            thread = threading.Thread(target=lambda: [appender.append(str(n)) for n in range(3)])
            thread.start()
            while thread.is_alive():
                await asyncio.sleep(0.001)
        self.assertEqual(await asyncio.wait_for(reading, 5), ["0", "1", "2"])

    async def test_nothing_is_kept_when_nobody_holds_it(self):
        class Piece:
            pass

        with StreamAppender() as appender:
            promise = StreamedPromise(streamer=appender, resolver=lambda _: None, start_soon=False)
            piece = Piece()
            seen = weakref.ref(piece)
            appender.append(piece)
        async for one in promise:
            self.assertIs(one, piece)
        del piece, one, appender, promise
        gc.collect()
        self.assertIsNone(seen())


class Contexts(unittest.TestCase):
    def test_three_forms_of_a_context(self):
        async def resolver(_):
            return 1

        async def main():
            return await Promise(resolver=resolver)

        self.assertEqual(MiniAgents().run(main()), 1)

        async def scoped():
            async with Crew():
                return await main()

        async def by_hand():
            context = MiniAgents()
            context.activate()
            with self.assertRaises(RuntimeError):
                context.activate()
            try:
                return await main()
            finally:
                await context.afinalize()

        async def without():
            with self.assertRaises(NoActiveContextError):
                await main()
            async with PromisingContext():
                with self.assertRaises(WrongActiveContextError):
                    MiniAgents.get_current()

        self.assertEqual(asyncio.run(scoped()), 1)
        self.assertEqual(asyncio.run(by_hand()), 1)
        asyncio.run(without())

    def test_run_ends_when_all_that_was_started_is_over(self):
        over = []

        @agent
        async def slow(ctx):
            await asyncio.sleep(0.02)
            over.append(ctx.this_agent.alias)

        async def main():
            slow.trigger()

        MiniAgents().run(main())
        self.assertEqual(over, ["SLOW"])

    def test_agent_runs_without_a_main(self):
        @agent
        async def echo(ctx, times=1):
            ctx.reply([ctx.messages] * times)

        self.assertEqual(list(map(str, MiniAgents().run_agent(echo, "x", times=2))), ["x", "x"])


class Sequences(CrewCase):
    async def test_whatever_can_stand_for_messages_is_flattened_in_order(self):
        async def later():
            await asyncio.sleep(0.01)
            yield "later"
            yield ["and", "more"]

        inner = MessageSequence.turn_into_sequence_promise(["i1", "i2"])
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            everything = MessageSequence.turn_into_sequence_promise(
                ["s", {"a": 1}, TextMessage("t"), [["n1"], ("n2",)], (one for one in ("g1", "g2")), later(), inner, None or []]
            )
        self.assertEqual(len([one for one in warned if one.category is UserWarning]), 1)
        seen = await texts(everything)
        self.assertEqual(seen[0], "s")
        self.assertIn('"a":1', seen[1])
        self.assertEqual(seen[2:], ["t", "n1", "n2", "g1", "g2", "later", "and", "more", "i1", "i2"])

    async def test_what_cannot_stand_for_messages_is_refused_and_nothing_added(self):
        sequence = MessageSequence(appender_capture_errors=False)
        with sequence.message_appender as appender:
            with self.assertRaises(TypeError):
                appender.append(["a", 7])
            appender.append("b")
        self.assertEqual(await texts(sequence.sequence_promise), ["b"])

    async def test_error_stands_at_its_place_and_what_follows_still_comes(self):
        sequence = MessageSequence.turn_into_sequence_promise(["a", [ValueError("x"), "b"]])
        self.assertEqual(await texts(sequence), ["a", "!x", "b"])
        with self.assertRaisesRegex(ValueError, "x"):
            await sequence

    async def test_list_is_frozen_when_it_is_added(self):
        sequence = MessageSequence()
        with sequence.message_appender as appender:
            items = ["a"]
            appender.append(items)
            items.append("b")
        self.assertEqual(await texts(sequence.sequence_promise), ["a"])

    async def test_out_of_order_comes_as_soon_as_it_is_there(self):
        async def after(seconds, text):
            await asyncio.sleep(seconds)
            yield text

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sequence = MessageSequence()
            with sequence.message_appender as appender:
                appender.append("1").append(after(0.1, "slow")).append("2")
                appender.inject_out_of_order(after(0.02, "sooner")).inject_out_of_order("soon")
        self.assertEqual(await texts(sequence.sequence_promise), ["1", "soon", "sooner", "slow", "2"])

    async def test_many_as_one(self):
        sequence = MessageSequence.turn_into_sequence_promise(["a", TextMessage("\n\nb", k=1), TextMessage("c", k=2)])
        single = await sequence.as_single_text_promise()
        self.assertEqual((str(single), single.k), ("a\n\n\n\nb\n\nc", 2))
        self.assertEqual([str(one) for one in single.original_messages], ["a", "\n\nb", "c"])
        stripped = await sequence.as_single_text_promise(
            delimiter="|", strip_leading_newlines=True, reference_original_messages=False
        )
        self.assertEqual(str(stripped), "a|b|c")
        self.assertNotIn("original_messages", stripped)


class Messages(CrewCase):
    async def test_hash_keys_are_those_of_miniagents(self):
        message = TextMessage("hi", role="user")
        self.assertEqual(
            message.serialized, '{"class_": "TextMessage", "content": "hi", "content_template": null, "role": "user"}'
        )
        self.assertEqual(message.hash_key, "7c164adddbf7d5ac1d391a2e9ec52e55dc07df12")
        self.context.longer_hash_keys = True
        self.assertTrue(message.hash_key.endswith("ccce85da49588b0bd21b8119"))
        self.assertEqual(len(message.hash_key), 64)

    async def test_messages_within_are_serialized_by_their_hash_keys(self):
        inner = TextMessage("in")
        outer = Message(one=inner, many=[inner, TextMessage("b")], deep={"inner": inner, "list": [{"inner": inner}]})
        keys = [inner.hash_key, TextMessage("b").hash_key]
        self.assertEqual(
            outer.serialize(),
            {
                "class_": "Message",
                "one__hash_key": keys[0],
                "many__hash_keys": keys,
                "deep": {"class_": "Frozen", "inner__hash_key": keys[0], "list": [{"class_": "Frozen", "inner__hash_key": keys[0]}]},
            },
        )
        self.assertEqual([str(one) for one in outer.sub_messages()], ["in", "in", "b", "in", "in"])

    async def test_frozen_is_never_changed(self):
        message = TextMessage("a", tags=["x", {"y": 1}], n=1)
        self.assertEqual((message.tags[0], message.tags[1].y), ("x", 1))
        for change in (lambda: setattr(message, "content", "b"), lambda: setattr(message, "other", 1), lambda: delattr(message, "n")):
            self.assertRaises(ValueError, change)
        self.assertRaises(ValueError, TextMessage, "a", odd=object())
        self.assertRaises(ValueError, TextMessage, "a", odd={1, 2})
        self.assertRaises(AttributeError, lambda: message.nothing)
        self.assertEqual((message["n"], message.get("nothing", 5), "n" in message, "m" in message), (1, 5, True, False))
        self.assertEqual(message.keys(), ("class_", "content", "content_template", "tags", "n"))
        self.assertEqual(Frozen(class_="Other").class_, "Frozen")
        self.assertEqual(TextMessage("a", b=1), TextMessage("a", b=1))
        self.assertEqual(len({TextMessage("a", b=1), TextMessage("a", b=1)}), 1)
        self.assertEqual(message.model_copy(update={"n": 2}).n, 2)
        again = pickle.loads(pickle.dumps(message))
        self.assertEqual((again, again.hash_key, copy.deepcopy(message)), (message, message.hash_key, message))

    async def test_typed_messages_have_defaults_and_refuse_what_does_not_fit(self):
        class Found(Message):
            url: str
            score: float = 0.5

        class Exact(StrictMessage):
            url: str

        found = Found(url="u", more=1)
        self.assertEqual((found.url, found.score, found.more), ("u", 0.5, 1))
        self.assertRaises(ValueError, Found)
        self.assertRaises(ValueError, Found, url=5)
        self.assertRaises(ValueError, Exact, url="u", more=1)
        self.assertEqual(Found(url="u", score=1).score, 1)

    async def test_text_of_a_message(self):
        self.assertEqual(str(TextMessage()), "")
        self.assertEqual(str(TextMessage(content_template="{a}-{b}", a=1, b="x")), "1-x")
        self.assertEqual(str(Message(a=1)), '```json\n{"class_":"Message","a":1}\n```')

    async def test_message_that_is_there_streams_as_one_token(self):
        promise = TextMessage("all of it").as_promise
        self.assertEqual(await pieces(promise), ["all of it"])
        self.assertIs(await promise, promise.known_beforehand)

    async def test_message_streams_and_knows_some_fields_before(self):
        with MessageTokenAppender() as appender:
            promise = TextMessage.promise(message_token_streamer=appender, model="m", start_soon=False)
            self.assertEqual(promise.known_beforehand.model, "m")
            appender.append("He").append(TextToken("llo")).append({"content": "x"})
            appender.auxiliary_field_collector.update(usage=3, model="other")
        message = await promise
        self.assertEqual((message.model, message.usage, type(message)), ("m", 3, TextMessage))
        self.assertTrue(str(message).startswith("Hello"))
        with self.assertRaises(AppenderNotOpenError):
            TextMessage.promise(message_token_streamer=MessageTokenAppender())

        async def streamer(fields):
            fields["late"] = 1
            yield "a"
            yield TextToken("b")

        message = await TextMessage.promise(message_token_streamer=streamer, early=2)
        self.assertEqual((str(message), message.late, message.early), ("ab", 1, 2))


class Agents(CrewCase):
    async def test_agent_has_a_name_and_a_description(self):
        @agent
        async def my_agent(ctx):
            """I am  {AGENT_ALIAS}."""

        @agent(alias="Named", limit=3)
        class MarkdownAIAgent:
            async def __call__(self): ...

        self.assertEqual((my_agent.alias, my_agent.description), ("MY_AGENT", "I am MY_AGENT."))
        self.assertEqual(MarkdownAIAgent.alias, "Named")
        self.assertEqual(miniagent(MarkdownAIAgent.wrapped_func_or_class).alias, "MARKDOWNAI_AGENT")
        self.assertRaises(ValueError, agent, 5)

    async def test_trigger_returns_at_once_and_the_agent_runs_at_the_next_switch(self):
        ran = []

        @agent
        async def one(ctx, mark="one"):
            ran.append(mark)

        one.trigger()
        one.trigger(mark="lazy", start_soon=False)
        self.assertEqual(ran, [])
        await asyncio.sleep(0.01)
        self.assertEqual(ran, ["one"])

    async def test_configuration_is_forked_and_a_call_overrides_it(self):
        live = object()

        @agent(a=1, b=[1, 2])
        async def show(ctx, **kwargs):
            ctx.reply(repr(sorted(kwargs.items(), key=lambda pair: pair[0])) if "live" not in kwargs else str(kwargs["live"] is live))

        self.assertEqual(await texts(show.trigger()), ["[('a', 1), ('b', (1, 2))]"])
        self.assertEqual(await texts(show.fork(c=3).trigger(a=5)), ["[('a', 5), ('b', (1, 2)), ('c', 3)]"])
        self.assertEqual(await texts(show.fork(non_freezable_kwargs={"live": live}).trigger()), ["True"])
        with self.assertRaisesRegex(TypeError, "multiple values"):
            show.fork(a=2)
        self.assertEqual(show.fork(alias="OTHER").alias, "OTHER")

    async def test_class_is_made_for_each_call(self):
        @agent
        class Counter:
            def __init__(self, ctx, start=0):
                self.ctx, self.count = ctx, start

            async def __call__(self):
                self.ctx.reply(str(self.count))

        self.assertEqual(await texts(Counter.trigger(start=4)), ["4"])

    async def test_plain_function_is_an_agent_that_waits_for_nothing(self):
        @agent
        async def echo(ctx):
            ctx.reply(ctx.messages)

        @agent
        def twice(ctx, mark="."):
            return ctx.reply([echo.trigger(ctx.messages), mark, echo.trigger(ctx.messages)])

        self.assertEqual(await texts(twice.trigger("a")), ["a", ".", "a"])

    async def test_replies_before_an_error_are_delivered_and_it_is_raised_where_they_are_read(self):
        @agent
        async def half(ctx):
            ctx.reply("before")
            raise ValueError("half")

        @agent
        async def outer(ctx):
            ctx.reply(["a", half.trigger(), "b"])

        self.assertEqual(await texts(outer.trigger()), ["a", "before", "!half", "b"])
        with self.assertRaisesRegex(ValueError, "half"):
            await half.trigger()

    async def test_errors_as_messages(self):
        @agent
        async def broken(ctx):
            with MessageTokenAppender(capture_errors=True) as appender:
                ctx.reply(TextMessage.promise(message_token_streamer=appender))
                appender.append("some")
                raise KeyError("token")

        @agent
        async def worse(ctx):
            ctx.reply(broken.trigger())
            raise ValueError("worse")

        messages = await worse.trigger(errors_as_messages=True)
        self.assertEqual([str(one) for one in messages], ["some\nKeyError: 'token'", "ValueError: worse"])
        self.assertEqual([type(one) for one in messages], [ErrorMessage, ErrorMessage])
        async for promise in worse.trigger(errors_as_messages=True):
            self.assertEqual(await pieces(promise), ["some", "\nKeyError: 'token'"])
            break

    async def test_error_messages_say_who_called_whom(self):
        @agent
        async def broken(ctx):
            raise ValueError("worse")

        @agent
        async def caller(ctx):
            ctx.reply(broken.trigger(errors_as_messages=True))

        async with MiniAgents(error_tracebacks_in_messages=True):
            message, = await caller.trigger()
        self.assertIn('raise ValueError("worse")', str(message))
        self.assertIn("ValueError: worse\n\nAgent trace:\nBROKEN <- CALLER\n", str(message))

    async def test_full_duplex(self):
        @agent
        async def echo(ctx):
            async for message in ctx.messages:
                ctx.reply(f"<{await message}>")

        call = echo.initiate_call()
        replies = call.reply_sequence(finish_call=False).__aiter__()
        for word in ("a", "b"):
            call.send_message(word)
            self.assertEqual(str(await (await replies.__anext__())), f"<{word}>")
        self.assertFalse(call.is_finished)
        call.finish()
        with self.assertRaises(StopAsyncIteration):
            await replies.__anext__()
        with self.assertRaises(AppenderClosedError):
            call.send_message("c")

    async def test_call_is_finished_with_the_agent_that_made_it(self):
        @agent
        async def echo(ctx):
            ctx.reply(await ctx.messages)

        @agent
        async def forgets(ctx):
            call = echo.initiate_call()
            call.send_message("x")
            ctx.reply(call.reply_sequence(finish_call=False))

        self.assertEqual(await asyncio.wait_for(texts(forgets.trigger()), 5), ["x"])

    async def test_trace_says_who_called_whom(self):
        @agent
        async def inner(ctx):
            ctx.reply(" <- ".join(one.alias for one in ctx.get_agent_trace()))

        @agent
        async def outer(ctx):
            ctx.reply(inner.trigger())

        self.assertEqual(await texts(outer.trigger()), ["INNER <- OUTER"])

    async def test_agents_run_in_parallel(self):
        log = []

        @agent
        async def worker(ctx, name):
            log.append(f"{name} begins")
            await asyncio.sleep(0)
            log.append(f"{name} ends")
            ctx.reply(name)

        both = MessageSequence.turn_into_sequence_promise([worker.trigger(name="a"), worker.trigger(name="b")])
        self.assertEqual(await texts(both), ["a", "b"])
        self.assertEqual(log, ["a begins", "b begins", "a ends", "b ends"])
        log.clear()
        both = MessageSequence.turn_into_sequence_promise(
            [worker.trigger(name="a", start_soon=False), worker.trigger(name="b", start_soon=False)]
        )
        self.assertEqual(await texts(both), ["a", "b"])
        self.assertEqual(log, ["a begins", "a ends", "b begins", "b ends"])

    async def test_replies_wait_for_what_is_to_be_waited_for(self):
        done = []

        async def work():
            await asyncio.sleep(0.01)
            done.append(1)

        @agent
        async def waits(ctx):
            ctx.make_sure_to_wait(work())
            ctx.reply("x")

        await waits.trigger()
        self.assertEqual(done, [1])

    async def test_cancelled_call_stops_its_agent(self):
        stopped = []

        @agent
        async def forever(ctx):
            ctx.reply("first")
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                stopped.append(1)
                raise

        replies = forever.trigger()
        reading = asyncio.ensure_future(texts(replies))
        await asyncio.sleep(0.01)
        replies.cancel()
        seen = await asyncio.wait_for(reading, 5)
        self.assertEqual(seen[0], "first")
        self.assertEqual((len(seen), stopped), (2, [1]))

    async def test_agents_that_a_cancelled_agent_called_are_cancelled_too(self):
        stopped = []

        @agent
        async def forever(ctx):
            try:
                await asyncio.sleep(1000)
            finally:
                stopped.append(ctx.this_agent.alias)

        @agent
        async def outer(ctx):
            ctx.reply([forever.trigger(), forever.fork(alias="OTHER").trigger()])
            await ctx.messages
            await asyncio.sleep(1000)

        replies = outer.trigger()
        await asyncio.sleep(0.01)
        replies.cancel()
        await asyncio.wait_for(self.context.aflush_tasks(), 5)
        self.assertEqual(sorted(stopped), ["FOREVER", "OTHER"])

    async def test_each_message_is_persisted_once_with_those_within_before_it(self):
        persisted = []

        @self.context.on_persist_messages
        async def persist(messages):
            persisted.extend(f"{type(one).__name__}:{str(one)[:3]}" for one in messages)

        @agent
        async def reply(ctx):
            inner = TextMessage("in")
            ctx.reply([Message(inner=inner), inner])

        await reply.trigger("ask")
        await self.context.aflush_tasks()
        self.assertEqual(persisted.count("TextMessage:in"), 1)
        self.assertLess(persisted.index("TextMessage:in"), persisted.index("Message:```"))
        kinds = [one.split(":")[0] for one in persisted]
        self.assertEqual(sorted(kinds), ["AgentCallNode", "AgentReplyNode", "Message", "TextMessage", "TextMessage"])


class Ready(CrewCase):
    async def test_chain_hands_on_and_leaves_out_none(self):
        @agent
        async def mark(ctx, sign):
            async for message in ctx.messages:
                ctx.reply(f"{await message}{sign}")

        steps = [mark.fork(sign="1"), None, AWAIT, mark.fork(alias="M2", sign="2")]
        self.assertEqual(await texts(agent_chain.trigger(["a", "b"], agents=steps)), ["a12", "b12"])
        self.assertEqual(await texts(agent_chain.trigger("a", agents=[mark.fork(sign="1"), CLEAR, mark.fork(sign="2")])), [])
        self.assertRaises(ValueError, mark.fork, agents=object())

    async def test_loop_needs_an_agent_and_an_await_and_ends_by_ctrl_c(self):
        turns = []

        @agent
        async def turn(ctx):
            turns.append(await ctx.messages)
            if len(turns) == 3:
                raise KeyboardInterrupt
            ctx.reply(str(len(turns)))

        await agent_loop.trigger("0", agents=[turn, AWAIT], raise_keyboard_interrupt=False)
        self.assertEqual([str(one[0]) for one in turns], ["0", "1", "2"])
        for steps in ([turn], [AWAIT]):
            with self.assertRaises(ValueError):
                await agent_loop.trigger(agents=steps)

    async def test_dialog_keeps_its_prompt_from_the_user(self):
        seen = []

        @agent
        async def person(ctx):
            seen.append(["user", *await texts(ctx.messages)])
            if len(seen) > 3:
                raise KeyboardInterrupt
            ctx.reply("hi")

        @agent
        async def assistant(ctx):
            seen.append(["assistant", *await texts(ctx.messages)])
            ctx.reply("hello")

        await dialog_loop.trigger("be brief", user_agent=person, assistant_agent=assistant)
        self.assertEqual(
            seen, [["user"], ["assistant", "hi", "be brief"], ["user", "hello"], ["assistant", "hi", "be brief"], ["user", "hello"]]
        )

    async def test_history_in_memory(self):
        remembered = []
        history = in_memory_history_agent.fork(non_freezable_kwargs={"message_list": remembered})
        self.assertEqual(await texts(history.trigger("a")), ["a"])
        self.assertEqual(await texts(history.trigger("b", return_full_history=True)), ["a", "b"])

    async def test_markdown_history_goes_on_where_it_was_left(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "chats" / "CHAT.md"
            history = MarkdownHistoryAgent.fork(history_md_file=str(file), return_full_history=True)
            said = [TextMessage("# no role\nhi", role="user"), TextMessage("hello", role="assistant", model="m/1")]
            await history.trigger([*said, TextMessage("secret", no_history=True)])
            self.assertEqual(
                file.read_text(),
                f"\nuser\n{'=' * 40}\n# no role\nhi\n\nassistant / m/1\n{'=' * 40}\nhello\n",
            )
            back = await history.trigger(TextMessage("more\n```\nuser\n====\n```", role="user"))
            self.assertEqual(
                [(one.role, one.model, one.content) for one in back],
                [("user", None, "# no role\nhi"), ("assistant", "m/1", "hello"), ("user", None, "more\n```\nuser\n====\n```")],
            )

    async def test_user_shows_asks_and_remembers(self):
        @agent
        async def shows(ctx):
            ctx.reply(ctx.messages)

        @agent
        async def asks(ctx):
            ctx.reply([ctx.messages, "typed"])

        history = in_memory_history_agent.fork(non_freezable_kwargs={"message_list": []})
        replies = user_agent.trigger("said", output_agent=shows, input_agent=asks, history_agent=history)
        self.assertEqual(await texts(replies), ["said", "typed"])

    async def test_file_output(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "out.txt"
            self.assertEqual(await texts(file_output_agent.trigger(["a", "b"], file=str(file))), ["a", "b"])
            await self.context.aflush_tasks()
            self.assertEqual(file.read_text(), "a\n\nb")


if __name__ == "__main__":
    unittest.main()
