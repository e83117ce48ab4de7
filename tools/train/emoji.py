"""The emoji that the shipped model's vocabulary knows beyond its ancestor's, and what they say.

BERT vocabularies know almost no emoji: a review such as "good\N{THUMBS UP SIGN}" becomes one
unknown word, and the praise in it is lost. Each emoji here becomes two pieces (alone, and
continuing a word); its first embedding is the mean of the English words beside it, and training
shows it at the end of texts of the same leaning.
"""

POSITIVE = {
    "\U0001F44D": "good great",            # thumbs up
    "\U0001F44C": "good perfect",          # ok hand
    "\U0001F64F": "thanks please",         # folded hands
    "\u2764": "love heart",                # heavy black heart
    "\u2665": "love heart",                # heart suit
    "\U0001F44F": "great well",            # clapping hands
    "\U0001F60D": "love beautiful",        # heart eyes
    "\U0001F970": "love sweet",            # smiling with hearts
    "\U0001F618": "love kiss",             # blowing a kiss
    "\U0001F60A": "happy nice",            # smiling eyes
    "\U0001F600": "happy smile",           # grinning
    "\U0001F603": "happy smile",           # big eyes
    "\U0001F604": "happy smile",           # grinning, smiling eyes
    "\U0001F601": "happy smile",           # beaming
    "\U0001F642": "nice smile",            # slightly smiling
    "\U0001F60E": "cool great",            # sunglasses
    "\U0001F929": "amazing wonderful",     # star struck
    "\U0001F525": "amazing hot",           # fire
    "\U0001F4AF": "perfect hundred",       # hundred points
    "\U0001F389": "celebration great",     # party popper
    "\U0001F4AA": "strong good",           # biceps
    "\U0001F31F": "star great",            # glowing star
    "\u2B50": "star great",                # star
    "\u2728": "bright beautiful",          # sparkles
    "\u2705": "good right",                # check mark button
    "\u2714": "good right",                # check mark
    "\U0001F495": "love heart",            # two hearts
    "\U0001F496": "love heart",            # sparkling heart
    "\U0001F499": "love heart",            # blue heart
    "\U0001F49A": "love heart",            # green heart
    "\U0001F49B": "love heart",            # yellow heart
    "\U0001F49C": "love heart",            # purple heart
    "\u270C": "good victory",              # victory hand
    "\U0001F917": "love friendly",         # hugging face
    "\U0001F680": "fast great",            # rocket
    "\U0001F60B": "delicious nice",        # savouring
    "\U0001F973": "happy celebration",     # partying face
}

NEGATIVE = {
    "\U0001F44E": "bad poor",              # thumbs down
    "\U0001F621": "angry terrible",        # pouting
    "\U0001F620": "angry bad",             # angry
    "\U0001F92C": "angry terrible",        # symbols on mouth
    "\U0001F624": "angry bad",             # steam from nose
    "\U0001F62D": "crying sad",            # loudly crying
    "\U0001F622": "crying sad",            # crying
    "\U0001F625": "sad disappointed",      # disappointed but relieved
    "\U0001F61E": "sad disappointed",      # disappointed
    "\U0001F614": "sad disappointed",      # pensive
    "\U0001F641": "sad bad",               # slightly frowning
    "\u2639": "sad bad",                   # frowning
    "\U0001F612": "bored bad",             # unamused
    "\U0001F644": "bored annoying",        # rolling eyes
    "\U0001F611": "bored bad",             # expressionless
    "\U0001F615": "confused bad",          # confused
    "\U0001F62B": "tired terrible",        # tired
    "\U0001F629": "tired terrible",        # weary
    "\U0001F92E": "sick terrible",         # vomiting
    "\U0001F922": "sick bad",              # nauseated
    "\U0001F4A9": "shit bad",              # pile of poo
    "\u274C": "wrong bad",                 # cross mark
    "\U0001F494": "broken heart",          # broken heart
    "\U0001F926": "stupid bad",            # face palm
    "\U0001F595": "fuck terrible",         # middle finger
}

NEUTRAL = {
    "\U0001F914": "think maybe",           # thinking
    "\U0001F602": "laugh funny",           # tears of joy
    "\U0001F923": "laugh funny",           # rolling on the floor
    "\U0001F605": "laugh nervous",         # sweat
    "\U0001F937": "know maybe",            # shrug
    "\U0001F440": "look see",              # eyes
    "\U0001F3FB": "light",                 # skin tones
    "\U0001F3FC": "light",
    "\U0001F3FD": "medium",
    "\U0001F3FE": "dark",
    "\U0001F3FF": "dark",
}


def all_emoji():
    """Every emoji with its seed words."""
    return {**POSITIVE, **NEGATIVE, **NEUTRAL}
