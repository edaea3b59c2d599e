"""One page about a region's sites: a single HTML file that asks for nothing else, with or without colours of night.

`facts` is what the page is made from, `pick` chooses the sites that it shows, the others draw, `page` puts together.
"""
