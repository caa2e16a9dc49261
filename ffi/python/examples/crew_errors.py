"""What an agent fails with is raised where its replies are read, behind what it had replied."""

import logging

from thalweg.crew import InteractionContext, MiniAgents, agent


@agent
async def fragile(ctx: InteractionContext) -> None:
    ctx.reply("As far as it went.")
    raise ValueError("the disk is full")


@agent
async def careful(ctx: InteractionContext) -> None:
    # Nothing is raised here: the agent has not run yet.
    replies = fragile.trigger("Go on")
    try:
        async for message in replies:
            ctx.reply(await message)
    except ValueError as error:
        ctx.reply(f"It failed: {error}.")


async def main() -> None:
    async for message in careful.trigger():
        print(await message)
    # Or as a message among the others.
    for said in await fragile.trigger(errors_as_messages=True):
        print(said)


if __name__ == "__main__":
    # Each error is logged once; here it is shown otherwise.
    logging.getLogger("thalweg.crew").disabled = True
    MiniAgents().run(main())
