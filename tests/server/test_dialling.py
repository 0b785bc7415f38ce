"""Calling out: order, detection of machines, outcome; Twilio's exchange, the phone server and a bot in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.server.shop import GREETING, PUBLIC, Room, Shop, shop
from voiceloop import Call
from voiceloop.errors import VoiceloopError
from voiceloop.server.dialling import DialError, Dialler, DialOptions, Outcome, dial_out, leave_message
from voiceloop.server.phone import PhoneOptions
from voiceloop.server.webhook import AnsweredBy
from voiceloop.sim.twilio import ACCOUNT, NUMBER, TOKEN, Machine, Phone, TwilioOptions, TwilioSim
from voiceloop.testing import ScriptedLLM, ScriptedTTS, calls
from voiceloop.twilio.rest import TwilioREST
from voiceloop.twilio.rest_errors import TwilioError

THEM = "+15550003333"
MESSAGE = "This is the tea room. Your order is ready. Goodbye."
MAILBOX = Machine(greeting="We are not at home, please leave a message after the tone.")


async def test_somebody_answers_and_the_outcome_has_the_conversation() -> None:
    async with shop() as here:
        dialling = asyncio.ensure_future(here.dialler.dial(THEM, params={"order": "17", "note": 'ä "&?'}))
        line = await here.line()
        caller = await line.connected()
        assert here.lexicon.text((await caller.hears()).audio) == GREETING
        await caller.says("a tea please")
        assert here.lexicon.text((await caller.hears()).audio) == "One tea."
        await line.hangs_up()
        outcome = await dialling
        call = here.calls[0]
        assert (call.direction, call.number, call.caller) == ("outbound", THEM, NUMBER)
        assert call.params == {"order": "17", "note": 'ä "&?'}
        assert here.dialler.calls == 0
    assert (outcome.status, outcome.call_sid, outcome.why, outcome.answered_by) == ("answered", line.sid, "", "")
    assert outcome.report is not None
    assert [turn.caller for turn in outcome.report.turns] == ["a tea please"]
    assert outcome.duration == line.duration
    assert [status for _, status in line.statuses] == ["queued", "ringing", "in-progress", "completed"]


@pytest.mark.parametrize(
    ("phone", "expected"),
    [
        (Phone("busy"), Outcome(status="busy", why="the line was busy", duration=0)),
        (Phone("no-answer"), Outcome(status="no answer", why="nobody answered within 12 s", duration=0)),
        (
            Phone("failed"),
            Outcome(
                status="failed",
                why="Twilio could not connect the call (there is no such number: SIP 404)",
                duration=0,
            ),
        ),
    ],
)
async def test_who_is_not_reached_is_told_by_the_outcome(phone: Phone, expected: Outcome) -> None:
    async with shop() as here:
        here.sim.phones[THEM] = phone
        outcome = await here.dialler.dial(THEM, options=DialOptions(ring=12))
        line = await here.line()
    assert outcome == replace(expected, call_sid=line.sid)
    assert here.calls == []


async def test_it_rings_as_long_as_it_was_told_to() -> None:
    async with shop() as here:
        here.sim.phones[THEM] = Phone(rings=21.0)
        outcome = await here.dialler.dial(THEM, options=DialOptions(ring=20))
        line = await here.line()
    assert outcome.status == "no answer"
    ringing, ended = (at for at, status in line.statuses if status in ("ringing", "no-answer"))
    assert ended - ringing == pytest.approx(20.0)


async def test_a_call_ends_at_its_limit() -> None:
    async with shop() as here:
        outcome = await here.dialler.dial(THEM, options=DialOptions(limit=7))
    assert (outcome.status, outcome.duration) == ("answered", 7)


# --- what goes wrong ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("from_", "code", "why"),
    [("+15559998888", 21210, "neither bought from Twilio in this account nor verified"), (NUMBER, 21215, "country")],
)
async def test_what_twilio_refuses_is_told_with_what_to_do(from_: str, code: int, why: str) -> None:
    async with shop(TwilioOptions(blocked=("+1555000",))) as here:
        outcome = await here.dialler.dial(THEM, from_=from_)
        assert here.sim.calls == {}
    assert (outcome.status, outcome.code, outcome.call_sid) == ("failed", code, "")
    assert why in outcome.why


@pytest.mark.parametrize("trouble", ["lost", "stall", "cut", 503, "page"])
async def test_nobody_is_ever_called_twice_whatever_becomes_of_the_order(trouble: int | str) -> None:
    async with shop() as here:
        here.dialler._from = NUMBER
        here.sim.troubles.append(trouble)
        dialling = asyncio.ensure_future(here.dialler.dial(THEM, options=DialOptions(limit=5)))
        outcome = await dialling
        lines = list(here.sim.calls.values())
    if trouble == "lost":  # Twilio has called: the call is found again
        assert [line.sid for line in lines] == [outcome.call_sid]
        assert outcome.status == "answered"
        assert outcome.report is not None
    else:
        assert lines == []
        assert outcome.status == "failed"
        assert outcome.why.endswith("Whether they are called is not known; the order was not sent again")


async def test_an_order_that_twilio_has_no_time_for_is_sent_again() -> None:
    async with shop() as here:
        here.sim.troubles.extend((429, 429))
        outcome = await here.dialler.dial(THEM, from_=NUMBER, options=DialOptions(limit=5))
        assert outcome.status == "answered"
        assert len(here.sim.calls) == 1


@pytest.mark.parametrize(
    "sim_options",
    [
        TwilioOptions(callbacks_lost=frozenset({"initiated", "ringing", "in-progress", "completed", "busy"})),
        TwilioOptions(callbacks_swapped=True),
        TwilioOptions(callbacks_twice=True),
        TwilioOptions(callbacks_late=8.0),
    ],
    ids=["lost", "swapped", "twice", "late"],
)
async def test_the_outcome_is_the_same_however_badly_callbacks_come(sim_options: TwilioOptions) -> None:
    async with shop(sim_options) as here:
        dialling = asyncio.ensure_future(here.dialler.dial(THEM))
        line = await here.line()
        caller = await line.connected()
        await caller.hears()
        await caller.waits(30)
        await line.hangs_up()
        over = asyncio.get_running_loop().time()
        outcome = await dialling
        assert asyncio.get_running_loop().time() - over <= 5.1
        here.sim.phones[THEM] = Phone("busy")
        missed = await here.dialler.dial(THEM)
    assert (outcome.status, outcome.duration, outcome.call_sid) == ("answered", line.duration, line.sid)
    assert outcome.report is not None
    assert missed.status == "busy"


async def ringing(here: Shop) -> asyncio.Future[Outcome]:
    """A call that has rung for some seconds, and will for more."""
    here.sim.phones[THEM] = Phone(rings=25.0)
    dialling = asyncio.ensure_future(here.dialler.dial(THEM))
    await asyncio.sleep(5)
    return dialling


async def waits_no_more(here: Shop, dialling: asyncio.Future[Outcome]) -> None:
    """Whoever dials stops waiting: the call has to end without an answer."""
    dialling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dialling
    line = await here.line()
    await line.ended()
    assert line.answered_at is None


async def test_who_stops_waiting_hangs_up() -> None:
    async with shop() as here:
        dialling = await ringing(here)
        await waits_no_more(here, dialling)
        assert here.dialler.calls == 0


async def test_a_call_that_somebody_else_hangs_up_while_it_rings_was_not_answered() -> None:
    async with shop() as here:
        dialling = await ringing(here)
        line = await here.line()
        await here.rest.hang_up(line.sid)
        outcome = await dialling
    assert (outcome.status, outcome.why) == ("canceled", "the call was hung up before it was answered")


async def test_who_stops_waiting_while_the_order_is_under_way_hangs_up() -> None:
    async with shop() as here:
        here.sim.troubles.append("slow")
        dialling = asyncio.ensure_future(here.dialler.dial(THEM, from_=NUMBER))
        await asyncio.sleep(1)
        await waits_no_more(here, dialling)


async def test_a_call_of_which_nothing_more_is_heard_is_hung_up_and_given_up() -> None:
    silent = TwilioOptions(callbacks_lost=frozenset({"initiated", "ringing", "in-progress", "completed", "no-answer"}))
    async with shop(silent) as here:
        here.sim.phones[THEM] = Phone(rings=3000.0)

        async def no_answer(call_sid: str) -> None:
            raise TwilioError("out of order")

        here.rest.status = no_answer  # type: ignore[method-assign,assignment]
        outcome = await here.dialler.dial(THEM, options=DialOptions(ring=500))
        line = await here.line()
        await line.ended()
    assert outcome.status == "failed"
    assert "has not said for 600 s how the call" in outcome.why


# --- machines -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wait", [False, True])
async def test_a_message_is_left_whole_behind_the_beep_and_nothing_else(wait: bool) -> None:
    async with shop() as here:
        here.sim.phones[THEM] = Phone(machine=MAILBOX)
        options = DialOptions(machine="message", message=MESSAGE, wait=wait)
        outcome = await here.dialler.dial(THEM, options=options)
        line = await here.line()
        assert here.lexicon.text(line.message) == MESSAGE
        assert here.calls[0].answered_by == "machine"
    assert (outcome.status, outcome.answered_by, outcome.message_left) == ("answered", "machine", True)
    assert outcome.report is not None
    assert outcome.report.reason == "message left"
    assert [fault.kind for fault in outcome.report.faults] == []
    assert line.streams[0].end == "closed by the server (1000)"


async def test_a_machine_that_is_known_while_it_still_speaks_gets_the_message_behind_its_beep() -> None:
    async with shop() as here:
        here.sim.phones[THEM] = Phone(machine=MAILBOX)
        dialling = asyncio.ensure_future(
            here.dialler.dial(THEM, options=DialOptions(machine="message", message=MESSAGE))
        )
        line = await here.line()
        await (await line.connected()).waits(2.5)
        found = AnsweredBy.of([("CallSid", line.sid), ("AnsweredBy", "machine_start")])
        for hook in here.phone.on_answered_by:
            hook(found)
        outcome = await dialling
        assert here.calls[0].answered_by == "machine"
        assert here.lexicon.text(line.message) == MESSAGE
    assert outcome.message_left


async def test_what_the_agent_says_when_the_beep_comes_is_cut_off() -> None:
    long = " ".join(f"word{n} and" for n in range(60))
    async with shop(greeting=long) as here:
        here.sim.phones[THEM] = Phone(machine=MAILBOX)
        outcome = await here.dialler.dial(THEM, options=DialOptions(machine="message", message=MESSAGE))
        line = await here.line()
        assert here.lexicon.text(line.message).endswith(MESSAGE)
        assert len(here.lexicon.text(line.message).removesuffix(MESSAGE).split()) <= 2
    assert outcome.message_left


async def test_a_machine_without_a_beep_and_one_that_is_told_twice_get_one_message() -> None:
    async with shop(TwilioOptions(detection_twice=True)) as here:
        here.sim.phones[THEM] = Phone(machine=replace(MAILBOX, beeps=0.0))
        outcome = await here.dialler.dial(THEM, options=DialOptions(machine="message", message=MESSAGE))
        assert here.lexicon.text((await here.line()).message) == MESSAGE
    assert outcome.message_left


async def test_a_machine_that_cuts_the_message_off_has_not_got_it() -> None:
    async with shop() as here:
        here.sim.phones[THEM] = Phone(machine=replace(MAILBOX, records=1.0))
        outcome = await here.dialler.dial(THEM, options=DialOptions(machine="message", message=MESSAGE))
    assert (outcome.status, outcome.answered_by, outcome.message_left) == ("answered", "machine", False)


async def test_a_message_that_a_broken_line_cuts_off_is_spoken_again() -> None:
    async with shop() as here:
        here.sim.phones[THEM] = Phone(machine=MAILBOX)
        dialling = asyncio.ensure_future(
            here.dialler.dial(THEM, options=DialOptions(machine="message", message=MESSAGE))
        )
        line = await here.line()
        await line.connected()
        await line.streams[0].when(lambda: "This is the tea" in here.lexicon.text(line.message))
        await line.streams[0].cut()
        outcome = await dialling
        assert here.lexicon.text(bytes(line.streams[1].heard)) == MESSAGE
    assert outcome.message_left


async def test_a_call_whose_line_breaks_has_one_outcome_with_all_that_was_said() -> None:
    async with shop() as here:
        dialling = asyncio.ensure_future(here.dialler.dial(THEM, params={"order": "17"}))
        line = await here.line()
        caller = await line.connected()
        await caller.hears()
        await caller.says("a tea please")
        await caller.hears()
        await line.streams[0].cut()
        caller = await line.connected(streams=2)
        await caller.hears()
        assert here.calls[1].params == {"order": "17"}
        await caller.says("how long")
        await caller.hears()
        await line.hangs_up()
        outcome = await dialling
    assert outcome.status == "answered"
    assert outcome.report is not None
    said = [message.text for message in outcome.report.conversation if message.role == "user"]
    assert said == ["a tea please", "how long"]


async def test_a_tool_of_the_bot_may_leave_a_message_when_the_model_finds_that_it_is_a_machine() -> None:
    def tools(call: Call) -> list[Any]:
        async def talks_to_a_machine() -> str:
            """An answering machine asks to leave a message."""
            await asyncio.sleep(1.5)  # for its beep
            leave_message(call, MESSAGE)
            return "The message is being left."

        return [talks_to_a_machine]

    llm = ScriptedLLM([calls("talks_to_a_machine"), "Done.", "Never said."])
    async with shop(llm=llm, tools=tools) as here:
        here.sim.phones[THEM] = Phone(machine=MAILBOX)
        outcome = await here.dialler.dial(THEM)
        line = here.sim.calls[outcome.call_sid]
        assert here.lexicon.text(line.message) == MESSAGE
    assert outcome.report is not None
    assert outcome.report.reason == "message left"


async def test_what_the_detection_found_is_asked_for_when_nobody_tells() -> None:
    options = DialOptions(machine="message", message=MESSAGE, poll=2.0)
    async with shop(TwilioOptions(detection_lost=True, detection_at_once=True)) as here:
        here.sim.phones[THEM] = Phone(machine=MAILBOX)
        outcome = await here.dialler.dial(THEM, options=options)
        assert here.lexicon.text((await here.line()).message) == MESSAGE
    assert (outcome.answered_by, outcome.message_left) == ("machine", True)
    lost = frozenset({"completed"})
    async with shop(TwilioOptions(detection_lost=True, callbacks_lost=lost)) as here:  # known when it is too late
        here.sim.phones[THEM] = Phone(machine=MAILBOX)
        outcome = await here.dialler.dial(THEM, options=options)
    assert (outcome.status, outcome.answered_by, outcome.message_left) == ("answered", "machine", False)


@pytest.mark.parametrize("wait", [False, True])
async def test_a_machine_is_hung_up_on_while_its_greeting_runs(wait: bool) -> None:
    async with shop() as here:
        here.sim.phones[THEM] = Phone(machine=replace(MAILBOX, greeting=b"", greets=20.0))
        outcome = await here.dialler.dial(THEM, options=DialOptions(machine="hang up", wait=wait))
        line = await here.line()
        assert line.message == b""
    assert (outcome.status, outcome.answered_by) == ("answered", "machine")
    assert outcome.report is not None
    assert outcome.report.reason == "machine"
    assert outcome.duration == 3  # its 2.4 s of speech are no person's "hello"


async def test_a_fax_is_hung_up_on_and_a_machine_is_only_told_of() -> None:
    async with shop() as here:
        here.sim.phones[THEM] = Phone(who="fax")
        fax = await here.dialler.dial(THEM, options=DialOptions(machine="tell"))
        here.sim.phones[THEM] = Phone(machine=replace(MAILBOX, records=20.0))
        told = await here.dialler.dial(THEM, options=DialOptions(machine="tell"))
        assert (here.calls[0].answered_by, here.calls[1].answered_by) == ("fax", "machine")
    assert (fax.answered_by, fax.duration) == ("fax", 2)
    assert (told.answered_by, told.message_left) == ("machine", False)
    assert told.report is not None
    assert told.report.reason == "caller hung up"


@pytest.mark.parametrize(("who", "wait"), [("human", False), ("human", True), ("silent", False), ("silent", True)])
async def test_people_are_talked_to_at_once_unless_they_are_to_wait(who: str, wait: bool) -> None:
    async with shop() as here:
        here.sim.phones[THEM] = Phone(who=who)
        options = DialOptions(machine="message", message=MESSAGE, wait=wait)
        dialling = asyncio.ensure_future(here.dialler.dial(THEM, options=options))
        line = await here.line()
        caller = await line.connected()
        assert here.lexicon.text((await caller.hears()).audio) == GREETING
        assert line.answered_at is not None
        waited = line.streams[0].truth.started - line.answered_at
        assert waited == pytest.approx({"human": 2.2, "silent": 5.0}[who] if wait else 0.0, abs=0.1)
        await caller.waits(6)
        await caller.says("a tea please")
        assert here.lexicon.text((await caller.hears()).audio) == "One tea."
        await line.hangs_up()
        outcome = await dialling
    assert outcome.answered_by == {"human": "human", "silent": "unknown"}[who]
    assert not outcome.message_left


async def test_keys_are_pressed_for_an_extension_and_nobody_looks_for_a_machine() -> None:
    async with shop() as here:
        outcome = await here.dialler.dial(THEM, options=DialOptions(send_digits="ww12", limit=3))
    assert outcome.answered_by == ""


async def test_a_message_for_a_call_that_another_worker_has_is_spoken_by_twilio() -> None:
    async with shop() as here:
        here.sim.phones[THEM] = Phone(machine=MAILBOX)
        dialler = here.dialler
        here.phone.on_call.clear()  # as if the stream had gone elsewhere
        outcome = await dialler.dial(THEM, options=DialOptions(machine="message", message=MESSAGE))
        line = await here.line()
        assert line.did[-2:] == [("say", MESSAGE), ("hang up", "")]
    assert (outcome.status, outcome.answered_by, outcome.report) == ("answered", "machine", None)


# --- many, and dial_out -------------------------------------------------------------------------------------


async def test_many_are_called_at_once_and_never_more_than_allowed() -> None:
    async with shop() as here:
        here.dialler.close()
        dialler = Dialler(here.phone, most_calls=8)
        numbers = [f"+155501{n:05}" for n in range(30)]
        for index, number in enumerate(numbers):
            here.sim.phones[number] = Phone("busy") if index % 3 == 0 else Phone(rings=1.0 + index / 10)
        most = 0

        async def look() -> None:
            nonlocal most
            while True:
                most = max(most, sum(1 for call in here.sim.calls.values() if call.ended_at is None))
                await asyncio.sleep(0.1)

        looking = asyncio.ensure_future(look())
        outcomes = await asyncio.gather(
            *(dialler.dial(n, params={"n": n}, options=DialOptions(limit=6)) for n in numbers)
        )
        looking.cancel()
        assert [call.to for call in here.sim.calls.values()] == numbers
        assert {call.params["n"] for call in here.calls} == {n for i, n in enumerate(numbers) if i % 3}
        assert all(call.params["n"] == call.number for call in here.calls)
    assert [outcome.status for outcome in outcomes] == ["busy" if i % 3 == 0 else "answered" for i in range(30)]
    assert [len(here.sim.calls), most] == [30, 8]


async def test_nobody_is_called_whom_the_server_has_no_room_for() -> None:
    async with shop(most_calls=2) as here:
        numbers = [f"+155501{n:05}" for n in range(5)]
        outcomes = await asyncio.gather(*(here.dialler.dial(n, options=DialOptions(limit=6)) for n in numbers))
        assert here.phone.counts["voice.busy"] == 0
        here.phone.stopping = True
        with pytest.raises(DialError, match="the server is stopping"):
            await here.dialler.dial(THEM)
    assert [outcome.duration for outcome in outcomes] == [6] * 5


async def test_dial_out_serves_dials_and_is_done() -> None:
    room, said = Room(), list[str]()
    sim = TwilioSim(voice=ScriptedTTS(room.lexicon))
    async with sim.listening() as base_url, TwilioREST(ACCOUNT, TOKEN, base_url=base_url) as rest:
        sim.tunnel(PUBLIC, "http://127.0.0.1:8080")
        outcome = await dial_out(
            "+1 (555) 000-3333",
            room.bot(),
            params={"order": "17"},
            options=DialOptions(limit=5),
            rest=rest,
            public_url=PUBLIC,
            phone=PhoneOptions(auth_token=TOKEN),
            tell=said.append,
        )
        assert room.calls[0].carrier is None  # let go of when the call was over
    assert (outcome.status, room.calls[0].number, room.calls[0].params) == ("answered", THEM, {"order": "17"})
    assert said == ["Loading the models.", "Calling +15550003333."]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"machine": "message"}, "expected a message with machine='message'"),
        ({"message": "hello"}, "expected a message with machine='message', and only with that"),
        ({"machine": "message", "message": "x" * 601}, "at most 600 characters, got 601"),
        ({"machine": "shout"}, "expected machine to be ignore, tell, hang up or message, got 'shout'"),
        ({"ring": 4}, "expected ring in whole seconds from 5 to 600, got 4"),
        ({"ring": 5.5}, "expected ring in whole seconds"),
        ({"limit": 100_000}, "expected limit in whole seconds from 1 to 86400"),
        ({"wait": True}, "nothing to wait for"),
        ({"machine": "tell", "send_digits": "1"}, "exclude each other"),
        ({"poll": 0}, "expected poll in seconds, more than 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(DialError, match=said):
        DialOptions(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"to": "555-0000"}, "expected a number with its country code"),
        ({"params": {"token": "x"}}, "the server needs the names token itself"),
        ({"params": {"long": "x" * 500}}, "has 504 characters with its name, more than 500"),
        ({"params": {f"p{n}": "" for n in range(50)}}, "expected at most 44 parameters, got 50"),
        ({"params": {f"p{n}": "x" * 490 for n in range(10)}}, "characters in its URL, more than 3000"),
        ({"params": {"n": 5}}, "expected parameters with names and values of str"),
        ({"from_": "me"}, "expected a number with its country code"),
    ],
)
async def test_what_cannot_be_dialled_is_refused_before_anybody_is_called(
    arguments: dict[str, object], said: str
) -> None:
    async with shop() as here:
        with pytest.raises(VoiceloopError, match=said):
            await here.dialler.dial(**{"to": THEM, **arguments})  # type: ignore[arg-type]
        assert here.sim.calls == {}
