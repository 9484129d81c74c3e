"""A vision-language-action policy on a real robot: observe -> embed -> plan -> command."""
