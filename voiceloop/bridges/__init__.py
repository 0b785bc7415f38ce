"""Services of other frameworks in a voiceloop pipeline. Nothing here is imported unless it is used."""
