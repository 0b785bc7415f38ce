"""English."""

from __future__ import annotations

from voiceloop.grammar import AskedFor, Grammar, NumberWords
from voiceloop.language import Cues, Language, Phrases
from voiceloop.languages.table import listed, several

__all__ = ["ENGLISH"]

_FILLERS = several(
    """
    um, umm, uh, uhm, erm, er, ah, hm, hmm, mm, let me see, let's see, let me think, let me check, hang on, hold on,
    one second, one moment, just a second, just a moment, just a minute, wait a minute, give me a second, what's it
    called, how do i say this, how do you say, what was it, you know, i mean, or something like
    """
)

_UNFINISHED = several(
    """
    and, or, but, because, so that, as well as, plus, nor, although, though not, unless, until, whereas, whether, if,
    when, while, since, than, as, like, cause, cuz, and then, and also, so, then i, or maybe, except, except that,
    the, a, an, my, your, his, our, their, its, this is, every, each, some of, any of, both of, another, which, of,
    to, into, onto, from, with, without, for, at, by, about, between, towards, toward, against, during, via, per,
    regarding, concerning, because of, instead of, according to, next to, close to, near, till, under, behind, i, i'm,
    i'd, i've, i'll, we, we're, we'd, we've, we'll, you're, you've, you'll, he's, she's, they, they're, they've,
    they'll, he, she, there's, that's, it's, here's, what's, who's, where's, who, whose, it'll, that'll, am, is, are,
    was, were, be, been, being, has, have, had, do, does, did, can, could, will, would, shall, should, may, might,
    must, isn't, aren't, wasn't, don't, doesn't, didn't, can't, couldn't, won't, wouldn't, haven't, hasn't, going to,
    gonna, want to, wanna, got to, gotta, have to, need to, used to, able to, supposed to, trying to, would like, i'd
    like, i would like, we'd like, i'd like to, i'd love, i'd prefer, i'd rather, i want, i need, i think, i guess, i
    believe, i suppose i, i was wondering, i was wondering if, i wanted to, i just, i was just, i also, i still, i
    already, i really, i don't, i can't, can you, could you, would you, will you, can i, could i, may i, should i, do
    you, do i, did you, have you, are there, is there, there is, there are, is it, was it, after, before, past, half
    past, quarter past, quarter to, can you please, could you please, would you please, please can you, can i please,
    do you know, do you think, how about, what about, how much is, how long does, the problem is, the thing is, the
    reason is, the point is, my name is, name is, my number is, number is, my address is, the address is, my email is,
    email is, it's called, very, really, quite, pretty, rather, just, only, even, maybe, perhaps, probably, basically,
    actually, especially, exactly at, approximately, around, almost, nearly, mostly, mainly, usually, also, not, too
    many, too much of, either, kind of, sort of, type of, type, bunch of, lot of, lots of, couple of, a couple, pair
    of, bit of, a bit of, cup of, bottle of, piece of, slice of, a slice, a pair, a cup, a bottle, one of, most of,
    all of, none of, out of, because i, named, called, let's, let me, mr, mrs, ms, dr, mister, missus, doctor, miss,
    saint, street number, apartment number, room number, double, triple, where i, where it, that i, that it, which i,
    which is, who is, what i, how i, when i, when it
    """
)
_FINISHED = several(
    """
    please, thanks, thank you, thank you very much, thanks a lot, thank you so much, thanks so much, cheers, that's
    all, that is all, that's it, that's it for now, that is it, that's everything, that'll be all, that will be all,
    that'd be great, that would be great, that would be good, that would be fine, that'd be fine, that's fine, that's
    great, that's good, that's perfect, that's right, that's correct, that works, that works for me, sounds good,
    sounds great, nothing else, no more, i'm done, i'm good, all good, bye, bye bye, goodbye, good bye, see you, see
    you then, have a nice day, have a good day, have a good one, if possible, if that's possible, if that's okay, if
    that's ok, if you can, if you could, if you don't mind, as soon as possible, as well, or something, or something
    like that, and so on, right now, right away, at all, instead, never mind, forget it, i don't know, i have no idea,
    i'm not sure, not sure, i don't think so, i think so, i guess so, i hope so, don't worry, no problem, no worries,
    is that right, is that okay, is that ok, is that possible, is it possible, you're welcome, nice to meet you, how
    are you, for me, log in, sign in, check in, come in, fill in, turn it on, the day before, the day after, a lot
    """
)
_BACKCHANNELS = several(
    """
    mhm, mm, mmhm, mm-hm, mm-hmm, mmhmm, mhmm, hm, hmm, uh-huh, uhhuh, aha, ah, oh, ooh, huh, uh, um, umm, uhm, er,
    erm, yeah, yep, yup, yes, ya, okay, ok, 'kay, right, alright, all right, sure, fine, good, great, cool, nice,
    perfect, wonderful, lovely, awesome, excellent, brilliant, gotcha, got it, i see, i know, i understand, of course,
    exactly, totally, absolutely, definitely, indeed, true, that's right, that's true, makes sense, sounds good,
    sounds great, no problem, no worries, oh no, oh wow, wow, really, oh really, is that so, fair enough, very good,
    very well, oh okay, thank you, thanks, uh okay, interesting, so, well
    """
)
_STOPS = several(
    """
    stop, wait, hold on, hang on, no, nope, hey, excuse me, sorry, pardon, pardon me, one moment, one second, just a
    moment, just a second, shut up, be quiet, quiet, enough, never mind, nevermind, forget it, that's wrong, that's
    not right, listen, operator, representative, repeat, say that again, come again, slow down, let me speak
    """
)
_NUMBERS = NumberWords(
    digits=listed("zero oh nought one two three four five six seven eight nine"),
    pairs=listed(
        """
        ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fourty
        fifty sixty seventy eighty ninety
        """
    ),
    tens=listed("twenty thirty forty fourty fifty sixty seventy eighty ninety"),
    powers=listed("hundred thousand million"),
    repeats=listed("double triple treble"),
    triples=listed("triple treble"),
    joins=listed("point and"),
    marks=listed("dash hyphen space extension minus slash hash pound star plus"),
    spelling=several("as in, like in, for, like, as"),
    letters=listed("zed zee aitch"),
    at=several("at, at sign"),
    dot=several("dot, period, point"),
)
_ASKED_FOR = AskedFor(
    digits=(
        ("card number", 15, 16), ("credit card", 15, 16), ("debit card", 15, 16), ("zip code", 5, 5), ("zip", 5, 5),
        ("security code", 3, 4), ("cvv", 3, 4), ("cvc", 3, 4), ("area code", 3, 3), ("sort code", 6, 6),
        ("routing number", 9, 9), ("social security", 9, 9), ("room number", 1, 4), ("house number", 1, 4),
        ("phone number", 10, 11), ("telephone number", 10, 11), ("mobile number", 10, 11), ("cell number", 10, 11),
        ("callback number", 10, 11), ("contact number", 10, 11), ("reach you", 10, 11), ("call you back", 10, 11),
        ("pin", 4, 6), ("year", 2, 4), ("account number", 5, 20), ("order number", 3, 20), ("policy number", 5, 20),
        ("tracking number", 8, 34), ("reference number", 4, 20), ("booking number", 4, 20), ("what number", 2, 20),
        ("your number", 7, 20), ("customer number", 4, 20), ("member number", 4, 20), ("code", 3, 12),
    ),
    digit=listed("digit digits figure figures"),
    quantity=several(
        """
        how many, how much, how old, how long, what time, which time, what size, which size, what quantity, party
        size, how often, what day, which day, what date, which date, which one, what number of, for how many, which
        floor
        """
    ),
    spelled=several("spell, spelled, spelling, email, e-mail, email address"),
    story=several(
        """
        what happened, tell me more, tell me about, describe, explain, what's going on, what seems to be, what is the
        problem, what's the problem, what's wrong, walk me through, in your own words, more detail
        """
    ),
    either=several(
        """
        do, does, did, is, are, was, were, have, has, had, can, could, will, would, shall, should, may, am, isn't,
        aren't, don't, doesn't, won't, wouldn't, any, anything else, is that, so you, ready, correct, right, okay
        """
    ),
    which=several("what, which, when, where, who, whose, whom, what's, who's, when's, where's, how, why"),
)  # fmt: skip
_GRAMMAR = Grammar(
    openers=several(
        """
        okay, ok, well, so, right, alright, all right, hi, hello, hey, hi there, hey there, good morning, good
        afternoon, good evening, morning, yes, yeah, yep, yup, no, nope, nah, sure, oh, ah, actually, sorry, um, uh,
        erm, hmm, hm, uhm, great, perfect, cool, please, and, but, also, then, now, look, listen, see, basically,
        honestly, anyway, excuse me, of course, i mean, you know, maybe, perhaps, first, alright then, thanks, thank
        you, fine, good, wait, because, or, plus, just, probably, like, unfortunately, hopefully
        """
    ),
    fillers=_FILLERS,
    answers=several(
        """
        yes, yeah, yep, yup, ya, yes please, yeah please, yes thanks, yes thank you, no, nope, nah, no thanks, no
        thank you, sure, of course, okay, ok, right, correct, exactly, absolutely, definitely, certainly, sure thing,
        why not, not really, not yet, not at all, not now, no not really, maybe, maybe later, maybe not, probably,
        probably not, i do, i don't, i did, i didn't, i am, i'm not, i will, i won't, i have, i haven't, i can, i
        can't, i would, i wouldn't, i was, i wasn't, it is, it isn't, it does, it doesn't, it was, it wasn't, it did,
        we do, we don't, we are, we have, we will, they do, they are, they did, he is, she is, that's right, that's
        correct, that's me, that is correct, speaking, this is he, this is she, of course not, all right, alright,
        uh-huh, mhm, mm-hmm, indeed, never, always, sometimes, fine, perfect, go ahead, you can, you can't, you may,
        you did, it's not, they don't, there is, there isn't, there are, please do, that's not right, that's wrong,
        wrong, incorrect, none, nothing, neither, not that i know of, i think so
        """
    ),
    agreeing=listed("yes yeah yep yup no nope nah sure"),
    choices=several(
        """
        the first, the second, the third, the last, the first one, the second one, the last one, either, neither,
        both, any, anything, whatever, none, nothing, all, everything, that one, this one, the other, the other one,
        me, mine, now, later, here, there, medium, large, small, regular, extra large, single, double, hot, cold,
        black, white, blue, red, green, cash, card, today, tomorrow, tonight, english, spanish, checking, savings,
        pickup, delivery, morning, afternoon, evening, one way, round trip, economy, business, personal, monthly,
        annual
        """
    ),
    clauses=several(
        """
        i'm, i've, i'd, i'll, you're, you've, you'd, you'll, we're, we've, we'd, we'll, they're, they've, they'd,
        they'll, he's, he'll, he'd, she's, she'll, she'd, it's, it'll, it'd, that's, that'll, there's, here's, this
        is, what's, who's, where's, how's, when's, let's, nothing's, everything's, something's, someone's, everyone's
        """
    ),
    subjects=several(
        """
        i, you, we, they, he, she, it, there, somebody, someone, nobody, everybody, everyone, something, nothing,
        everything, anyone
        """
    ),
    verbs=several(
        """
        am, is, are, was, were, has, have, had, do, does, did, can, could, will, would, shall, should, may, might,
        must, isn't, aren't, wasn't, weren't, hasn't, haven't, hadn't, don't, doesn't, didn't, can't, cannot,
        couldn't, won't, wouldn't, shouldn't, ain't, gonna, gotta, wanna, got, get, gets, want, wants, need, needs,
        know, knows, knew, think, thinks, thought, say, says, said, go, goes, went, come, comes, came, see, sees, saw,
        make, makes, made, take, takes, took, give, gives, gave, tell, tells, told, feel, feels, felt, leave, leaves,
        left, keep, keeps, kept, begin, begins, began, hear, hears, heard, hold, holds, held, pay, pays, paid, lose,
        lost, find, finds, found, buy, bought, bring, brought, send, sent, sell, sold, sit, sat, stand, stood, run,
        runs, ran, put, puts, cut, read, hope, hopes, like, likes, love, prefer, wish, work, works, happens, seems,
        looks, look, sounds, costs, cost, means, starts, ends, opens, closes, broke, spoke, chose, forgot, ate, drank,
        drove, flew, wrote, sang, slept, lay, fell, grew, became, met, led, spent, meant, understood, wore, woke,
        threw, shook, rose, rang, hit, hurt, shut, stuck, won, live, lives, guess, believe, remember, expect,
        understand, mean, owe, owes, call, wait, try, use, order, book, check, move, help, start, stop, turn, talk,
        speak, pick, cancel, turns, rains, tries, arrives, becomes, belongs, remains, struck, blew, drew, caught,
        taught, swam, hung, shot, sank, fought, built, lent, froze, bit, hid, bent, fed, fled, swept, dug, rode, laid,
        shone, tore, stole, spread
        """
    ),
    endings=("ed",),
    auxiliaries=listed(
        """
        do does did is are was were am have has had can could will would shall should may might must isn't aren't
        don't doesn't didn't can't couldn't won't wouldn't shouldn't haven't hasn't wasn't weren't
        """
    ),
    imperatives=listed(
        """
        cancel give get make take put add remove change book order send tell show call connect transfer repeat say
        help let leave stop start check look find try keep hold wait go come bring pick drop deliver move schedule
        reschedule confirm update set turn use pay refund return switch speak talk forget read play open close skip
        reserve pass charge swap replace include exclude double spell ask explain describe remind text email don't
        count sing list name pause resume continue finish clean fix hurry wake dial ring write note save delete print
        search listen translate calculate guess postpone arrange restart reboot unlock lock block mute upgrade renew
        extend track ship notify choose select record wash sort type repay credit drive walk watch scan
        """
    ),
    asking=several(
        """
        what, which, when, where, who, whose, why, how, how much, how many, what's, who's, where's, when's, how's
        """
    ),
    joining=several(
        """
        if, when, while, since, because, although, though, unless, until, after, before, once, whenever, who, which,
        had i, had he, had she, had they, had we, had you, that, where, whether, as soon as, so that, even though,
        even if, in case, whoever, wherever
        """
    ),
    determiners=listed(
        """
        a an the my your his her our their its this that these those some any every each another one two three four
        five six seven eight nine ten twelve both all many several few no more less which what whose
        """
    ),
    definite=listed("the my your his her our their its these those"),
    adjectives=listed(
        """
        later earlier bigger smaller larger newer older faster slower longer shorter higher lower quieter
        premium basic opening closing billing shipping various automatic nearest cheapest large small medium big
        little new old good bad great nice next last first second third other same different whole entire current
        previous following extra additional double single full half own certain specific particular possible free
        early late long short high low hot cold iced warm fresh plain black white red blue green brown yellow grey
        gray dark local national international special regular normal personal private public real true wrong correct
        best better worst worse most least few several many final online direct round gluten dairy vegan vegetarian
        quiet cheap cheaper expensive young poor rich strong heavy deep wide fine beautiful english french american
        credit debit grande tall decaf skinny unlimited monthly weekly daily annual recent important non upper lower
        northern southern eastern western ninth tenth fourth fifth sixth seventh eighth
        """
    ),
    possessive=("'s",),
    adjective_endings=("est", "ous", "ful", "able", "ible", "ical", "ive", "less", "ish", "tic"),
    linking=listed(
        """
        is are was were am be been being it's i'm that's he's she's they're we're you're isn't wasn't aren't too very
        so really quite pretty not more feel feels felt look looks looked sound sounds seem seems seemed get gets got
        getting become became it them him her everything nothing something still completely totally almost make keep
        """
    ),
    wanting=listed(
        """
        need needs needed want wants wanted get getting have having had has make makes making take taking took give
        gives giving gave send sending sent buy buying bought order ordering book booking bring bringing brought put
        putting add adding added use using find finding found see seeing know knowing tell telling told ask asking say
        saying said show showing keep keeping hold holding change changing changed check checking receive received
        receiving schedule scheduling reserve reserving replace replacing return returning transfer transferring pick
        picking prefer like love hope hoping think thinking thought guess believe mean means meant wish wondering
        wonder trying try tried looking calling speak interested asked let lets include including included contains
        involves requires require pay paying deliver delivering update updating confirm confirming remove removing
        purchase purchased noticed realized realised expected expecting considering consider discuss discussed explain
        explained describe mention mentioned decided decide forgot understand remember avoid enjoy follow reach caused
        cause became seems seem turned brings gets got regarding supposed able about keeps starts started says
        promised promises accept accepts reset placed shake shook break broke fix fixed sell sold led miss missed
        signed lost found built wearing carried held hit owned repair repaired share shared sign
        enjoyed cover covered contain offered offer
        """
    ),
    alone=several(
        """
        go on, come on, carry on, keep going, move on, go ahead, go back, try again, again, once again, once more, one
        more time, start again, start over, not yet, what is it, what was it, who is it, who was it, is that it, is it,
        was it, that is it, this is it, that was it, what else, what for, where to, since when, why not, how come, how
        so, so do i, so am i, so have i, neither do i, neither am i, nor do i, me neither, me too, same here, so what,
        count me in, come in, log in, what do i do, what can i do, here it is, here you are, there it is, there you
        are, who's there, what's there, what's on, what are those, what are these, do it, do that, just do it,
        let's do it, let's go, what now, at what time, for how long, by when, who with
        """
    ),
    fronting=several(
        """
        what, which, who, whose, where, what's, who's, where's, much, many, all, everything, anything, nothing,
        something
        """
    ),
    particles=listed("on off in out up down over back away through"),
    phrasal=listed("turn turned switch switched shut hang log sign fill speed slow leave left"),
    joins_nouns=listed("and or plus"),
    adverbs=listed("never seldom often always rarely already even ever neither both still also just"),
    no_adjectives=listed(
        """
        request interest forest harvest protest contest vegetable arrive receive deserve survive relative executive
        archive motive detective publish finish plastic attic traffic spoonful handful arrest suggest invest digest
        spanish dishes unless conquest guest breakfast
        """
    ),
    prepositions=listed(
        """
        after before since until for from with to at about of on in off over through like into by under near against
        """
    ),
    endless=several(
        """
        find out, prefer something, want something, need something, like something,
        for something, under the name, in the name, apartment, suite, it's too, is too, was too, that's too, are too,
        were too, i'm too, say that, said that, mention that, told
        that, think that, believe that, noticed that, sure that, tell me, give me, show me, get me, bring me, let me,
        send me, make me, make it, help me with, give you, tell you, put me, book me, find me, send you, told me, gave
        me, sent me, charged me for, asked me, call me at, reach me at, let you, looking for, waiting for, asking for,
        paying for, calling about, thinking about, talking about, interested in, in the, on the, at the, to the, of
        the, for the, from the, with the, in my, on my, in a, on a, in an, in, on, over, through, across, along,
        among, above, below, beside, beyond, within, throughout, upon, inside, off of, up to, at least, at most, more
        than, less than, as long as, as far as, in order to, due to, thanks to, based on, no idea what, not only, as
        if, even if, even though, in case, so much, a little bit of, in front of, in terms of, i'm not, i am not, it's
        not, that's not, it's a, it was a, it's an, such, such a, what kind of, what time, what day, what kind, how
        much, how many, how long, which one of, wondering if, wondering whether, to be, to have, to get, to do, to
        make, to see, to go to, to take, to find, to know, to ask, to buy, to order, to book, to change, go to, these,
        with no, have no, has no, had no, is no, are no, there's no, as soon, as much, as many, as far, as good, as
        big, as quickly, as fast, a piece, a packet, a plate, a row, a dozen, a kilo, half a kilo, a jar, a loaf, a
        bunch, a handful, a pint, a glass, the rest, a number, in front, in case, why is it, a pack, a bag of, a
        kind, some kind, some sort, those, some, any, all the, both the, half a, half the, my first, my last, my
        old, our, his, whose, it has
        """
    ),
    months=listed("january february march april may june july august september october november december"),
    days=listed(
        """
        monday tuesday wednesday thursday friday saturday sunday today tomorrow tonight yesterday mondays weekends
        weekend christmas easter
        """
    ),
)  # fmt: skip

ENGLISH = Language(
    "en",
    Phrases(),
    Cues(
        unfinished=_UNFINISHED | _FILLERS,
        hello="Hello?",
        finished=_FINISHED,
        backchannels=_BACKCHANNELS,
        stops=_STOPS,
        greetings=several(
            """
            hello, hi, hey, hi there, hello there, hey there, good morning, good afternoon, good evening, morning,
            yes, yes hello, anybody there, anyone there, is anyone there, are you there, how are you
            """
        ),
        grammar=_GRAMMAR,
        numbers=_NUMBERS,
        asked_for=_ASKED_FOR,
    ),
)
