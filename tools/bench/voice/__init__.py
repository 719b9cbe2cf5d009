"""How long somebody waits for the first word. Beside Home Assistant's own llama.cpp integration."""
