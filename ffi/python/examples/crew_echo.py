"""An agent that answers each message, asked in one go and message by message."""

from thalweg.crew import InteractionContext, MiniAgents, agent


@agent
async def echo(ctx: InteractionContext) -> None:
    async for message in ctx.messages:
        ctx.reply(f"You said: {await message}")


async def main() -> None:
    async for message in echo.trigger(["Hello", "World"]):
        print(await message)

    call = echo.initiate_call()
    call.send_message("One")
    call.send_message("Two")
    async for message in call.reply_sequence():
        print(await message)


if __name__ == "__main__":
    MiniAgents().run(main())
