// The model card, README.md: from its front matter the languages that the model was made for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace millrace::model {

// The values of `language:` in the YAML front matter, a scalar or a list in either YAML style;
// empty where the card does not say. A card is prose for people: what is malformed is simply not
// stated.
std::vector<std::string> card_languages(std::string_view card);

}  // namespace millrace::model
