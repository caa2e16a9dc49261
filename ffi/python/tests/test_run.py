"""Runs: how they are followed, and how they end."""

import asyncio
import gc
import signal
import threading
import time
import unittest

import thalweg
from support import Endless, Replay, agent_options, scenario


class Ends(unittest.TestCase):
    """Against a reply that never ends."""

    def setUp(self):
        self.server = Endless()
        self.agent = thalweg.Agent(**agent_options(self.server.base_url))

    def tearDown(self):
        self.server.close()

    def assert_closed(self):
        self.assertTrue(self.server.closed.wait(5), "the socket is still open")

    def test_run_that_nobody_holds_closes_its_socket(self):
        run = self.agent.prompt("go on")
        texts = iter(run.texts)
        self.assertEqual(next(texts), "on ")
        del run
        self.assertEqual(next(texts), "on ")
        self.assertFalse(self.server.closed.is_set())
        del texts
        self.assert_closed()

    def test_with_block_closes_the_socket(self):
        with self.agent.prompt("go on") as run:
            self.assertEqual(next(iter(run.texts)), "on ")
        self.assert_closed()

    def test_aborted_run_ends_its_iteration_and_tells_those_who_ask_for_its_result(self):
        run = self.agent.prompt("go on")
        texts = iter(run.texts)
        self.assertEqual([next(texts), next(texts)], ["on ", "on "])
        threading.Thread(target=run.abort).start()
        self.assertTrue(all(piece == "on " for piece in texts))
        with self.assertRaises(thalweg.Aborted) as caught:
            run.result()
        self.assertIn("on on", caught.exception.result.text)
        self.assert_closed()

    def test_result_waits_no_longer_than_it_may(self):
        run = self.agent.prompt("go on")
        with self.assertRaises(TimeoutError):
            run.result(timeout=0.05)
        self.assertFalse(run.is_over)
        run.abort()
        with self.assertRaises(thalweg.Aborted):
            run.result()
        self.assertTrue(run.is_over)

    def test_second_prompt_during_a_run_is_refused(self):
        run = self.agent.prompt("go on")
        with self.assertRaises(thalweg.StateError):
            self.agent.prompt("me too")
        run.abort()

    def test_other_threads_run_while_one_waits(self):
        counted = 0
        run = self.agent.prompt("go on")
        threading.Timer(0.2, run.abort).start()
        thread = threading.Thread(target=lambda: [None for _ in run])
        thread.start()
        while thread.is_alive():
            counted += 1
        self.assertGreater(counted, 1000)

    def test_ctrl_c_ends_a_wait(self):
        # Ignored from the start where a shell runs the tests in the background.
        self.addCleanup(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, signal.default_int_handler))
        run = self.agent.prompt("go on")
        timer = threading.Timer(0.1, lambda: signal.raise_signal(signal.SIGINT))
        timer.start()
        with self.assertRaises(KeyboardInterrupt):
            run.result(timeout=10)
        timer.join()

    def test_cancelled_await_aborts_the_run(self):
        async def main():
            run = self.agent.prompt("go on")
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(run, 0.1)
            await asyncio.to_thread(self.server.closed.wait, 5) if hasattr(asyncio, "to_thread") else None
            return run.is_over

        self.assertTrue(asyncio.run(main()))
        self.assert_closed()

    def test_cancelled_task_closes_the_socket(self):
        async def follow():
            async for _ in self.agent.prompt("go on").texts:
                pass

        async def main():
            task = asyncio.ensure_future(follow())
            await asyncio.sleep(0.1)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        gc.collect()
        self.assert_closed()

    def test_one_step_that_is_given_up_does_not_end_the_iteration(self):
        async def main():
            async with self.agent.prompt("go on") as run:
                texts = run.texts.__aiter__()
                for _ in range(20):
                    try:
                        await asyncio.wait_for(texts.__anext__(), 0.002)
                    except asyncio.TimeoutError:
                        pass
                return await asyncio.wait_for(texts.__anext__(), 5)

        async def with_coroutine(awaitable):
            return await awaitable

        self.assertEqual(asyncio.run(main()), "on ")

    def test_two_tasks_in_one_iterator_are_told(self):
        async def main():
            server = Endless()
            async with self.agent.prompt("go on") as run:
                nothing = run._stream(2)

                async def wait():
                    await nothing.__anext__()

                first = asyncio.ensure_future(wait())
                await asyncio.sleep(0.05)
                with self.assertRaises(RuntimeError):
                    await wait()
                first.cancel()
            server.close()

        asyncio.run(main())

    def test_task_that_nobody_holds_is_not_collected_while_it_waits(self):
        done = []

        async def follow():
            async with self.agent.prompt("go on") as run:
                async for _ in run.texts:
                    gc.collect()
                    done.append(True)
                    if len(done) == 5:
                        return

        async def main():
            asyncio.ensure_future(follow())
            for _ in range(200):
                gc.collect()
                if len(done) == 5:
                    return
                await asyncio.sleep(0.01)

        asyncio.run(main())
        self.assertEqual(len(done), 5)

    def test_engine_that_is_closed_ends_its_runs(self):
        engine = thalweg.Engine()
        agent = thalweg.Agent(engine=engine, **agent_options(self.server.base_url))
        run = agent.prompt("go on")
        self.assertEqual(next(iter(run.texts)), "on ")
        engine.close()
        self.assert_closed()
        with self.assertRaises(thalweg.Error):
            agent.prompt("and again")

    def test_second_loop_needs_an_engine_of_its_own(self):
        async def follow(agent):
            async with agent.prompt("go on") as run:
                async for _ in run.texts:
                    return True

        async def main():
            self.assertTrue(await follow(self.agent))
            outcome = []

            def other():
                try:
                    asyncio.run(follow(self.agent))
                except thalweg.StateError as error:
                    outcome.append(str(error))
                with thalweg.Engine() as engine:
                    agent = thalweg.Agent(engine=engine, **agent_options(self.server.base_url))
                    outcome.append(asyncio.run(follow(agent)))

            # The abort at the end of the block takes a moment.
            await asyncio.sleep(0.1)
            thread = threading.Thread(target=other)
            thread.start()
            while thread.is_alive():
                await asyncio.sleep(0.01)
            return outcome

        refused, followed = asyncio.run(main())
        self.assertIn("make an Engine for each loop", refused)
        self.assertTrue(followed)


class Replies(unittest.TestCase):
    """Against recordings."""

    @classmethod
    def setUpClass(cls):
        cls.server = Replay()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def agent(self, **options):
        return thalweg.Agent(**{**agent_options(self.server.base_url), **options})

    def test_iterations_begin_at_the_beginning_also_when_the_run_is_over(self):
        said = scenario("text")
        run = self.agent().prompt(said["prompt"])
        first = [event.seq for event in run]
        self.assertEqual(first, [event.seq for event in run])
        self.assertEqual("".join(run.texts), said["expect"]["text"])

        async def again():
            return "".join([piece async for piece in run.texts])

        self.assertEqual(asyncio.run(again()), said["expect"]["text"])

    def test_run_is_awaited_more_than_once(self):
        said = scenario("text")

        async def main():
            run = self.agent().prompt(said["prompt"])
            return await asyncio.gather(run._finished(), run._finished())

        self.assertEqual([result.text for result in asyncio.run(main())], [said["expect"]["text"]] * 2)

    def test_one_loop_after_the_other_uses_the_same_engine(self):
        said = scenario("text")

        async def main():
            return (await self.agent().prompt(said["prompt"])).text

        self.assertEqual({asyncio.run(main()) for _ in range(3)}, {said["expect"]["text"]})

    def test_failed_run_raises_at_the_end_of_its_iteration(self):
        run = self.agent(retries=0).prompt(scenario("error")["prompt"])
        with self.assertRaises(thalweg.RemoteError):
            list(run)

    def test_steering_and_follow_ups_come_in(self):
        said = scenario("text")
        agent = self.agent()
        agent.follow_up(scenario("thinking")["prompt"])
        agent.steer(said["prompt"])
        result = agent.prompt("This is answered together with what steers.").result()
        self.assertEqual(result.text, scenario("thinking")["expect"]["text"])
        roles = [message["role"] for message in agent.messages]
        self.assertEqual(roles, ["user", "user", "assistant", "user", "assistant"])

    def test_conversation_goes_on_elsewhere(self):
        said = scenario("text")
        agent = self.agent()
        agent.prompt(said["prompt"]).result()
        other = self.agent()
        other.load(agent.save())
        self.assertEqual(other.messages, agent.messages)
        self.assertEqual([message["role"] for message in other.messages], ["user", "assistant"])
        with self.assertRaises(thalweg.VersionError):
            other.load('{"schema": 99, "messages": []}')
        other.messages = []
        self.assertEqual(other.messages, [])

    def test_prompt_may_be_a_message_or_several(self):
        said = scenario("text")
        message = {"role": "user", "content": [{"type": "text", "text": said["prompt"]}]}
        for prompt in (message, [message]):
            self.assertEqual(self.agent().prompt(prompt).result().text, said["expect"]["text"])
        agent = self.agent(messages=[message])
        self.assertEqual(agent.prompt(None).result().text, said["expect"]["text"])

    def test_wrong_options_are_named(self):
        for wrong, word in [({"extra": 3}, ""), ({"tool_choice": "maybe"}, "ToolChoice"), ({"dialect": "latin"}, "latin")]:
            with self.subTest(wrong), self.assertRaises((thalweg.InvalidError, TypeError)) as caught:
                self.agent(**wrong)
            self.assertIn(word, str(caught.exception))
        with self.assertRaises(thalweg.InvalidError):
            thalweg.Engine(threads=0)

    def test_child_of_a_fork_makes_its_own_engine(self):
        import os

        said = scenario("text")
        agent = self.agent()
        self.assertTrue(agent.prompt(said["prompt"]).result().text)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                try:
                    agent.prompt(said["prompt"])
                except thalweg.StateError:
                    status = 0 if self.agent().prompt(said["prompt"]).result(timeout=20).text else 2
            finally:
                os._exit(status)
        self.assertEqual(os.waitpid(child, 0)[1], 0)

    def test_memory_does_not_grow_with_runs(self):
        said = scenario("text")
        agent = self.agent()

        def count():
            gc.collect()
            return sum(str(type(each).__module__).startswith("thalweg") for each in gc.get_objects())

        agent.prompt(said["prompt"]).result()
        before = count()
        for _ in range(20):
            agent.messages = []
            agent.prompt(said["prompt"]).result()
        self.assertLessEqual(count(), before)


if __name__ == "__main__":
    unittest.main()
