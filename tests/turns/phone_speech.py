"""Things people say to phone bots, with the places where they may hesitate.

Written for these tests. The rules were worked on with these sentences, so their shares here are no benchmark. ``|``
marks a place where a caller may pause; what stands before it is an unfinished turn, and the whole line is a finished
one. Before ``::`` stands what the agent asked, if anything.
"""

from __future__ import annotations

__all__ = ["SPEECH", "prefixes", "wholes"]

SPEECH = """
hi i'd | like to | book a | table for | four on friday
i want to | cancel my | order from | last week
could you | tell me what | your opening | hours are
what time do you | close on | sundays
can i get a | large | pepperoni pizza and | two cokes please
i need to | reschedule my | appointment to | next | tuesday
my package | never arrived and | the tracking says | it was delivered
do you have any | rooms | available for | the second week of | june
i was wondering if | you could | help me with | a refund
the problem is | that my | internet | keeps dropping | every | evening
i'm calling about | the invoice i | received | yesterday
is there a | vegetarian | option on the | menu
how much does | the | premium | plan cost
i think | you charged me | twice for | the same | thing
when i | opened the box | the screen was | already broken
if it's | not too much | trouble could you | send it to my | office
please cancel | my | subscription
i'd like to speak | to a | human please
we are a | party of | six and | one of us | uses a wheelchair
can you | check whether my | flight is | on time
the order number | is on | the receipt but | i can't | read it
i ordered a | blue | jacket but i | got a | red one
can you deliver | to the | back door
my husband | and i would | like to | stay for | three nights
where is your | nearest | store
how long does | it take to | get a | new card
i don't have the | confirmation email | any more
i forgot my | password and | now i'm | locked out
could i | change the | delivery address for | my order
what's the | difference between the | basic and the | family plan
the guy | who came to | fix it | didn't have the | right | part
i've been | waiting for | two hours
because of the | storm we | can't | make it | tonight
let me | have the | chicken salad with | dressing on the side
add a | side of | fries to | that
do i need to | bring my | passport
are you open | on | christmas day
i'd rather | have a | window | seat
there's a | leak under my | kitchen | sink and | it's getting worse
i moved to | a new | apartment so | i need to update | my address
can you | repeat that
who am i | speaking with
what is that | charge for
put me through to | the billing | department
i would like a | medium | latte with | a little bit of | cinnamon
actually make | that | three
we need | an extra | bed for our | daughter
it was supposed | to arrive on | monday
the app | says my | account is | blocked
is it possible to | pay in | cash
i just wanted to | say that | the food was | excellent
tell me | about your | warranty
the man i | spoke to | last time promised | me a | discount
since i changed | my phone | i can't | log in
can we | move it to | half past | seven
no i said | the | other one
i'd like two | tickets for | the late | show
my daughter has | a fever and | i'd like | to see a | doctor today
how do i | reset | the router
the reason i'm | calling is that my | card was | declined
does that include | breakfast
turn off | automatic | renewal
i left | my umbrella in | the | restaurant
this is the | third time i've | called about | this
your driver | left the parcel | with the wrong | neighbour
would you | mind if i | brought my | dog
i can't find | the | receipt
what happens if | i miss | a payment
we'll be | there around | eight
could you give me a | call back | tomorrow morning
it's the | house with the | green | door
i want the | cheapest | ticket you | have
after the update | my phone | stopped | ringing
that's not | what i | ordered
please send | a copy to my | accountant
why was my | application | rejected
i think i | made a | mistake on the | form
do you | accept | american | express
send me the | details by | email
i'm looking for | a gift for my | mother
the heating | in our | room doesn't | work
which | bus goes to | the airport
i'd like to | know if | my prescription is | ready
my order from | tuesday is | missing an | item
give me a | double | espresso
What can I get you? :: a large | cappuccino and a | blueberry muffin
What can I get you? :: i'll have the | soup
What can I get you? :: two | slices of | pizza
What can I get you? :: um | just a | small coffee
What size would you like? :: medium
What size would you like? :: the | large one
What size would you like? :: i think a | small
How many people will be coming? :: four
How many people will be coming? :: there will be | six of us
How many people will be coming? :: about | twenty
Would you like anything else? :: no thanks
Would you like anything else? :: yes a | bottle of | water
Would you like anything else? :: no that's all
Would you like anything else? :: um | yes can i | also get a | salad
Is that correct? :: yes
Is that correct? :: yes it is
Is that correct? :: no it's | the other | address
What is your name? :: john miller
What is your name? :: my name is | anna | schmidt
What is your name? :: it's | peter parker
When would you like to come? :: tomorrow at | three
When would you like to come? :: on | friday | evening
When would you like to come? :: the | third of | may
When would you like to come? :: next | wednesday around | noon
Where should we deliver it? :: twelve | maple street
Where should we deliver it? :: to my | office on | fifth avenue
Which city are you flying from? :: from | chicago
Which city are you flying from? :: boston
What's your phone number? :: four one five | five five five | one two three four
What's your phone number? :: it's 415 | 555 | 1234
What's your phone number? :: my number is | two one two | double five | five | oh one nine nine
What is your zip code? :: nine four | one oh three
What is your zip code? :: 94103
Can you spell your last name? :: s m | i t h smith s m i t h
What's your email address? :: anna dot | schmidt at | gmail dot com
What's your email address? :: it's john at | example | dot org
What are the last four digits of your card? :: four | two | four two
What are the last four digits of your card? :: 42 | 42
Why are you cancelling? :: because i'm | moving abroad
Why are you cancelling? :: it's too | expensive
How would you like to pay? :: with my | credit card
How would you like to pay? :: cash
Do you have an account with us? :: i do
Do you have an account with us? :: i'm not sure
Do you have an account with us? :: no not yet
Do you have an account with us? :: yes but i | don't remember | the number
Shall I book it? :: yes please
Shall I book it? :: sure go ahead
Shall I book it? :: wait what's the | total
How can I help you? :: i'd like to make a | reservation
How can I help you? :: my | dishwasher is | leaking
How can I help you? :: i have a | question about my | bill
How can I help you? :: it's about | my | insurance claim
What's your date of birth? :: the | twelfth of | march nineteen | eighty four
How old is the machine? :: about | five years
Are you still there? :: yes i'm here
Which one do you prefer? :: the second one
Which one do you prefer? :: either is | fine with me
Do you want the red or the blue one? :: the blue one
Anything else I can do? :: no that's it thank you
What time works for you? :: half past | six
What time works for you? :: any time after | lunch
good morning i'm trying to | find out | why my | bill is so | high this month
i'd like to | add another | driver to my | policy
can i | speak to the | manager
my flight got | cancelled and i | need to get to | denver by tomorrow
you guys | sent the wrong | size
hello i have | a reservation | under the name | watson
what's the | status of my | repair
the kitchen tap | is dripping | all night
is the | doctor | available this | afternoon
i bought a | vacuum cleaner from you | three weeks ago and it | already stopped working
please | add two | more nights to | my booking
we want to | celebrate my | wife's | birthday
do you deliver to | the suburbs
i never | got my | money back
could you | please | hold my | mail until | i return
i'd prefer | something | vegetarian
my son | swallowed a | coin
which | documents do i | need to | bring
it's not | working
i need someone to | look at my | roof
the total on my | statement doesn't | match
your website | won't let me | pay
let's do | thursday | morning instead
i can | only come | after work
are there any | seats left for | tonight's | performance
nobody | called me back
i want a | refund
there was a | hair in my | soup
would it be | possible to get a | later | checkout
How can I help you? :: yes hello i'm | calling because my | washing machine | makes a | terrible noise
How can I help you? :: i lost my | card
What's the address? :: forty two | oak avenue | apartment | three
How many nights? :: three nights
How many nights? :: just | one
What's the name on the booking? :: it's under | robinson
What's the name on the booking? :: robinson
What day suits you? :: maybe | next | monday or | tuesday
What day suits you? :: wednesday
Do you want fries with that? :: yeah and | a | coke
Do you want fries with that? :: no just | the burger
Would you like to continue? :: yes i would
Have you tried restarting it? :: yes i've | done that | twice
What colour would you like? :: dark | green
What's your order number? :: seven seven | three | nine one
"""


def _lines() -> list[tuple[str, str]]:
    parted = [line.rpartition("::") for line in SPEECH.strip().splitlines()]
    return [(asked.strip(), said.strip()) for asked, _, said in parted]


def wholes() -> list[tuple[str, str]]:
    """What was asked, and a whole turn."""
    return [(asked, said.replace("| ", "")) for asked, said in _lines()]


def prefixes() -> list[tuple[str, str]]:
    """What was asked, and a turn up to a place where the caller may hesitate."""
    found = []
    for asked, said in _lines():
        parts = said.split(" | ")
        found += [(asked, " ".join(parts[:n])) for n in range(1, len(parts))]
    return found
